//! The terminal: its screen, its keys, and giving both back.

use std::io::{self, Stdout, stdout};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use tokio::sync::mpsc;

use super::model::Model;
use super::update::Key;
use super::view::{self, Texts};

/// Keys that wait; a person who types faster than that waits.
const KEYS_IN_FLIGHT: usize = 64;

/// The whole screen of the terminal; dropping it gives back what was there.
#[derive(Debug)]
pub(super) struct Surface(Terminal<CrosstermBackend<Stdout>>);

/// Says that raw mode and the other screen are on; dropping it ends both.
#[derive(Debug)]
struct Taken;

/// The screen with the keeper of what was there before.
#[derive(Debug)]
pub(super) struct Taking {
    surface: Surface,
    /// What the list on the screen says.
    shown: Texts,
    _taken: Taken,
}

impl Taking {
    /// Takes the screen.
    pub(super) fn begin() -> io::Result<Self> {
        enable_raw_mode()?;
        let taken = Taken;
        execute!(stdout(), EnterAlternateScreen)?;
        let surface = Surface(Terminal::new(CrosstermBackend::new(stdout()))?);
        Ok(Self { surface, shown: Texts::default(), _taken: taken })
    }

    /// Draws what is shown now, if it is something else than before.
    pub(super) fn draw_changes(&mut self, model: &mut Model) -> io::Result<()> {
        let texts = view::texts(model);
        if std::mem::take(&mut model.touched) || texts != self.shown {
            self.shown = texts;
            self.draw(model)?;
        }
        Ok(())
    }

    /// Draws what is shown now.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        self.surface.0.draw(|frame| view::draw(model, frame)).map(drop)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // Where the terminal is gone there is nothing to give back.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// What comes from the terminal: a key, or nothing but a reason to draw anew.
pub(super) type Input = Option<Key>;

/// Reads keys on a thread of its own, which ends with the program. The channel closes when no more can come.
pub(super) fn input() -> mpsc::Receiver<Input> {
    let (sender, keys) = mpsc::channel(KEYS_IN_FLIGHT);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let input = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => translate(key).map(Some),
                Event::Resize(..) => Some(None),
                _ => None,
            };
            if input.is_some_and(|input| sender.blocking_send(input).is_err()) {
                return;
            }
        }
    });
    keys
}

fn translate(key: KeyEvent) -> Option<Key> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char(character) if !control => Key::Char(character),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}
