//! What a key or a piece of news changes, and what it asks for.

use std::collections::HashMap;
use std::time::Duration;

use super::model::{Look, Mode, Model, Row};

/// Lines that a page key moves.
const PAGE: usize = 10;

/// Characters of a revision that is typed here; longer ones are sent with `cage inbox`.
const MAX_TYPED: usize = 2_000;

/// Something that happened.
#[derive(Debug, Clone)]
pub(super) enum News {
    Key(Key),
    /// The terminal has another size.
    Resized,
    /// So much time has passed since the beginning.
    Clock(Duration),
    /// All cages that there are now; their looks are kept from before.
    Listed(Vec<Row>),
    Looked {
        name: String,
        look: Look,
    },
    /// What cages take on the disk, by name.
    Sized(HashMap<String, u64>),
    /// Something to read came.
    Page {
        title: String,
        lines: Vec<String>,
    },
    /// Something that was asked for is done, or failed.
    Told(String),
}

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
    Backspace,
    Interrupt,
    Char(char),
}

/// Something that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Quit,
    Messages(String),
    Log(String),
    Revise { name: String, text: String },
    Stop(String),
}

impl Model {
    /// Takes note of something, and returns what is asked for.
    pub(super) fn take(&mut self, news: News) -> Option<Wish> {
        self.touched |=
            !matches!(news, News::Clock(_) | News::Listed(_) | News::Looked { .. } | News::Sized(_));
        match news {
            News::Key(key) => return self.key(key),
            News::Resized => {}
            News::Clock(clock) => self.clock = clock,
            News::Listed(rows) => self.list(rows),
            News::Looked { name, mut look } => {
                if let Look::Seen(seen) = &mut look {
                    seen.at = self.clock;
                }
                let rows = self.cages.iter_mut().flatten();
                rows.filter(|row| row.name == name).for_each(|row| row.look = look.clone());
            }
            News::Sized(sizes) => {
                for row in self.cages.iter_mut().flatten() {
                    row.bytes = sizes.get(&row.name).copied().or(row.bytes);
                }
            }
            News::Page { title, lines } => {
                self.notice.clear();
                // What a person types meanwhile is not taken away.
                if matches!(self.mode, Mode::List | Mode::Reading { .. }) {
                    let from = lines.len().saturating_sub(PAGE);
                    self.mode = Mode::Reading { title, lines, from };
                }
            }
            News::Told(text) => self.notice = text,
        }
        None
    }

    /// Takes a new list, keeping the looks, and the cage that was chosen.
    fn list(&mut self, mut rows: Vec<Row>) {
        let chosen = self.chosen().map(|row| row.name.clone());
        let mut before = self.cages.take().unwrap_or_default();
        for row in &mut rows {
            if let Some(old) = before.iter_mut().find(|old| old.name == row.name) {
                row.look = std::mem::take(&mut old.look);
                row.bytes = row.bytes.or(old.bytes);
            }
        }
        let same = chosen.and_then(|name| rows.iter().position(|row| row.name == name));
        self.selected = same.unwrap_or(self.selected).min(rows.len().saturating_sub(1));
        self.cages = Some(rows);
    }

    fn key(&mut self, key: Key) -> Option<Wish> {
        if key == Key::Interrupt {
            return Some(Wish::Quit);
        }
        match &mut self.mode {
            Mode::List => self.list_key(key),
            Mode::Reading { lines, from, .. } => {
                *from = moved(*from, key, lines.len());
                if matches!(key, Key::Escape | Key::Char('q')) {
                    self.mode = Mode::List;
                }
                None
            }
            Mode::Revising { .. } => self.revising_key(key),
            Mode::Stopping { name } => {
                let name = std::mem::take(name);
                self.mode = Mode::List;
                (key == Key::Char('y')).then(|| self.wish(Wish::Stop(name), "stopping …"))
            }
        }
    }

    fn list_key(&mut self, key: Key) -> Option<Wish> {
        self.selected = moved(self.selected, key, self.count());
        if matches!(key, Key::Char('q') | Key::Escape) {
            return Some(Wish::Quit);
        }
        let name = self.chosen()?.name.clone();
        match key {
            Key::Enter | Key::Char('m') => Some(self.wish(Wish::Messages(name), "reading …")),
            Key::Char('l') => Some(self.wish(Wish::Log(name), "reading …")),
            Key::Char('r') => {
                self.mode = Mode::Revising { name, text: String::new() };
                None
            }
            Key::Char('s') => {
                self.mode = Mode::Stopping { name };
                None
            }
            _ => None,
        }
    }

    fn revising_key(&mut self, key: Key) -> Option<Wish> {
        let Mode::Revising { name, text } = &mut self.mode else { return None };
        match key {
            Key::Char(character) if text.chars().count() < MAX_TYPED => text.push(character),
            Key::Backspace => drop(text.pop()),
            Key::Escape => self.mode = Mode::List,
            Key::Enter if !text.trim().is_empty() => {
                let wish = Wish::Revise { name: std::mem::take(name), text: std::mem::take(text) };
                self.mode = Mode::List;
                return Some(self.wish(wish, "sending …"));
            }
            _ => {}
        }
        None
    }

    fn wish(&mut self, wish: Wish, notice: &str) -> Wish {
        notice.clone_into(&mut self.notice);
        wish
    }
}

/// Moves a position among so many by a key.
fn moved(position: usize, key: Key, count: usize) -> usize {
    let position = match key {
        Key::Up | Key::Char('k') => position.saturating_sub(1),
        Key::Down | Key::Char('j') => position + 1,
        Key::PageUp => position.saturating_sub(PAGE),
        Key::PageDown => position + PAGE,
        Key::Home => 0,
        Key::End => count,
        _ => position,
    };
    position.min(count.saturating_sub(1))
}
