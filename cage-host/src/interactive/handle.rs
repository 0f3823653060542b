//! The interactive agent of one cage.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, timeout};

use super::agent::InteractiveAgent;
use super::error::InteractiveError;
use super::screen::{self, Key, View};
use super::terminal::{self, TerminalSize};
use super::tmux;
use super::trust::trusted;
use super::turn::{Next, Prompted};
use super::watch::{Look, Pane, Watch};
use crate::cage::{Place, copy_file};
use crate::error::{Error, RequestError, Result};
use crate::sanitize::{sanitize, sanitize_stderr};

/// Longest time for the agent's start; its first one in a container reads 235 MB.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// How long a turn that is about to end on the screen is waited for before a prompt.
const SETTLE: Duration = Duration::from_secs(3);

/// How long a key may show no effect until it is pressed again.
const PRESS_AGAIN: Duration = Duration::from_secs(3);

/// Largest prompt that is typed, in bytes. Longer text belongs in a file that the prompt names.
pub const MAX_TYPED_BYTES: usize = 256 * 1024;

/// Bytes of Claude Code's own settings file that are read.
const MAX_SETTINGS_BYTES: usize = 16 * 1024 * 1024;

/// Bytes of the answer to a yes-or-no question.
const MAX_ANSWER_BYTES: usize = 64;

/// Characters of a draft that an error shows.
const DRAFT_CHARS: usize = 80;

/// The interactive agent of one cage: Claude Code with its own screen, in a tmux session named `cage`.
///
/// ```no_run
/// use std::time::Duration;
/// use cage_host::{Host, InteractiveAgent};
///
/// # async fn story() -> cage_host::Result<()> {
/// let cage = Host::connect().await?.cage("demo").await?;
/// let agent = cage.interactive();
/// agent.start(&InteractiveAgent::new().env_from_host()).await?;
/// let turn = agent.prompt("what does this project do?", Duration::from_secs(600)).await?;
/// println!("{}", turn.last_message());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Interactive {
    place: Place,
}

/// A turn that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    session_id: String,
    last_message: String,
    duration: Duration,
}

impl Turn {
    /// Returns the session in which it ended. The agent changes it, so nothing should be keyed by it.
    pub fn session_id(&self) -> &str {
        &self.session_id
    }

    /// Returns what the agent said last, sanitized and at most 64 KiB of it.
    pub fn last_message(&self) -> &str {
        &self.last_message
    }

    /// Returns the time from the typed prompt to the end.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl Interactive {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Starts the agent and returns when its input box stands there. Where it runs already, it only waits for that.
    ///
    /// The project's folder is trusted in advance, and the known dialogs of a first start are answered as they come.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for a variable, a gateway or a model that cannot be set,
    ///   [`RequestError::AgentRunning`] beside a supervised agent: the two would take each other's messages.
    /// - [`InteractiveError::SignIn`] when the agent has no credential; it goes on running, so that a person can
    ///   attach. [`InteractiveError::Ended`], [`InteractiveError::Unreachable`] or [`InteractiveError::NoInputBox`] when it does not get there.
    /// - [`CageError`](crate::CageError) when tmux or the agent is missing, or the cage is gone;
    ///   [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn start(&self, agent: &InteractiveAgent) -> Result<()> {
        agent.check()?;
        if !self.is_running().await? {
            self.trust().await?;
            self.prepare().await?;
            if let Some(credential) = agent.file_credential() {
                copy_file(&self.place, credential).await?;
            }
            self.place.exec(tmux::start(agent, &self.place.layout)).await?.success().await?;
        }
        let mut watch = Watch::begin(&self.place, false).await?;
        if let Ok(outcome) = timeout(START_DEADLINE, self.answer_dialogs(&mut watch)).await {
            return outcome;
        }
        let screen = end_of(&watch.look().screen);
        Err(InteractiveError::NoInputBox { after: START_DEADLINE, screen }.into())
    }

    /// Gives the agent a prompt and waits for the end of its turn, no longer than `deadline`.
    ///
    /// The text goes in as one paste, so that nothing in it is taken for a key; a last blank keeps the agent from
    /// completing its last word, a first one from taking it for a shell command. It makes four blanks of a tab. A turn
    /// with background tasks ends when they have.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for a text that is empty, longer than [`MAX_TYPED_BYTES`], or holds control
    ///   characters other than line feeds and tabs.
    /// - [`InteractiveError::NotStarted`], [`InteractiveError::Ended`], [`InteractiveError::SignIn`] without an agent
    ///   that could take it; [`InteractiveError::Busy`] while a turn runs, also one of another caller;
    ///   [`InteractiveError::Draft`] when somebody left text in the input box.
    /// - [`InteractiveError::NotTaken`], [`InteractiveError::Interrupted`], [`InteractiveError::TurnFailed`], and
    ///   [`InteractiveError::TurnTimedOut`], after which the turn goes on.
    /// - [`CageError`](crate::CageError) and [`EngineError`](crate::EngineError) as for
    ///   [`Interactive::start`].
    pub async fn prompt(&self, text: &str, deadline: Duration) -> Result<Turn> {
        let text = typed(text)?;
        let out_of_time = InteractiveError::TurnTimedOut { after: deadline };
        timeout(deadline, self.play(&text)).await.unwrap_or(Err(out_of_time.into()))
    }

    /// Returns what the agent's screen shows, sanitized.
    ///
    /// # Errors
    /// [`InteractiveError::NotStarted`] without an agent; [`CageError`](crate::CageError) and
    /// [`EngineError`](crate::EngineError) as for [`Interactive::start`].
    pub async fn screen(&self) -> Result<String> {
        let mut watch = Watch::begin(&self.place, false).await?;
        let look = watch.next().await?;
        match look.pane {
            Pane::Missing => Err(InteractiveError::NotStarted.into()),
            Pane::Alive | Pane::Ended(_) => Ok(sanitize(&look.screen)),
        }
    }

    /// Connects a terminal to the session until somebody detaches or the session ends: bytes of `input` are keys, and
    /// `output` gets what is to be shown, which is **not** sanitized: a terminal is being driven by the cage.
    ///
    /// `terminal` is the kind of terminal, as in `TERM`; one that not every image knows counts as `xterm-256color`.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for an embedded cage, whose session is on this machine: attach with tmux itself.
    /// - [`InteractiveError::NotStarted`] without a session; [`CageError`](crate::CageError) and
    ///   [`EngineError`](crate::EngineError) as for [`Interactive::start`].
    pub async fn attach(
        &self,
        terminal: &str,
        size: Receiver<TerminalSize>,
        input: impl AsyncRead + Unpin,
        output: impl AsyncWrite + Unpin,
    ) -> Result<()> {
        let attached = self.place.terminal(tmux::attach(terminal::known(terminal))).await?;
        match terminal::bridge(attached, size, input, output).await? {
            0 => Ok(()),
            _ => Err(InteractiveError::NotStarted.into()),
        }
    }

    /// Ends the agent and its session. Without one there is nothing to do.
    ///
    /// # Errors
    /// [`CageError`](crate::CageError) and [`EngineError`](crate::EngineError) as for
    /// [`Interactive::start`].
    pub async fn stop(&self) -> Result<()> {
        self.place.exec(tmux::stop()).await?.success().await
    }

    async fn is_running(&self) -> Result<bool> {
        let answer = self.place.exec(tmux::is_alive()).await?.collect(MAX_ANSWER_BYTES).await?;
        Ok(answer.starts_with(b"1"))
    }

    async fn trust(&self) -> Result<()> {
        let path = format!("{}/.claude.json", self.place.layout.home());
        let content = self.place.exec(tmux::read(&path)).await?.collect(MAX_SETTINGS_BYTES).await?;
        let content = trusted(&content, &self.place.layout.project());
        self.place.exec(tmux::replace(&path, content)).await?.success().await
    }

    async fn prepare(&self) -> Result<()> {
        let exit = self.place.exec(tmux::prepare(&self.place.layout)).await?.exit().await?;
        if exit.code == tmux::EXIT_HEADLESS {
            return Err(RequestError::AgentRunning { name: self.place.name.to_string() }.into());
        }
        exit.success("prepare a session for the agent")
    }

    /// Watches the screen and answers dialogs until the input box stands there.
    async fn answer_dialogs(&self, watch: &mut Watch) -> Result<()> {
        let mut answered: Option<(String, Instant)> = None;
        loop {
            let look = watch.next().await?;
            let view = screen::read(&look.screen);
            match (look.pane, view) {
                (Pane::Missing, _) => return Err(InteractiveError::NotStarted.into()),
                (_, View::Unreachable) => return Err(unreachable(look)),
                (Pane::Ended(exit_code), _) => return Err(ended(look, exit_code)),
                (_, View::Ready | View::Draft(_) | View::Working) => return Ok(()),
                (_, View::SignIn) => return Err(InteractiveError::SignIn.into()),
                (_, View::Dialog(key)) => {
                    let is_new = answered
                        .as_ref()
                        .is_none_or(|(screen, at)| *screen != look.screen || at.elapsed() > PRESS_AGAIN);
                    if is_new {
                        self.press(key, &look.screen).await?;
                        answered = Some((look.screen.clone(), Instant::now()));
                    }
                }
                (_, View::Unknown) => {}
            }
        }
    }

    async fn press(&self, key: Key, screen: &str) -> Result<()> {
        self.place.exec(tmux::press(key, screen)).await?.success().await
    }

    /// Types a prompt and follows its turn to the end.
    async fn play(&self, text: &str) -> Result<Turn> {
        let mut watch = Watch::begin(&self.place, true).await?;
        let before = input_box(&mut watch).await?.records.last_prompted();
        self.place.exec(tmux::paste(text)).await?.success().await?;
        let typed = Instant::now();
        let mut prompted = Prompted::new(text, before);
        loop {
            let look = watch.next().await?;
            alive(look)?;
            match prompted.next(&screen::read(&look.screen), &look.records, typed.elapsed()) {
                Next::Wait => {}
                Next::Press(key) => self.press(key, &look.screen).await?,
                Next::Fail(error) => return Err(error.into()),
                Next::Done(record) => {
                    return Ok(Turn {
                        session_id: sanitize(&record.session_id),
                        last_message: sanitize(record.last_message.as_deref().unwrap_or_default()),
                        duration: typed.elapsed(),
                    });
                }
            }
        }
    }
}

/// Waits for an input box that is free. A turn that has just ended may still be on the screen.
async fn input_box(watch: &mut Watch) -> Result<&Look> {
    let begun = Instant::now();
    loop {
        let look = watch.next().await?;
        alive(look)?;
        match screen::read(&look.screen) {
            View::Ready => break,
            View::SignIn => return Err(InteractiveError::SignIn.into()),
            _ if begun.elapsed() < SETTLE => {}
            View::Working => return Err(InteractiveError::Busy.into()),
            View::Draft(text) => {
                let text = sanitize(&text).chars().take(DRAFT_CHARS).collect();
                return Err(InteractiveError::Draft { text }.into());
            }
            View::Dialog(_) | View::Unreachable | View::Unknown => {
                let screen = end_of(&sanitize(&look.screen));
                return Err(InteractiveError::NoInputBox { after: SETTLE, screen }.into());
            }
        }
    }
    Ok(watch.look())
}

/// Checks that the agent is there.
fn alive(look: &Look) -> Result<()> {
    match look.pane {
        Pane::Alive => Ok(()),
        Pane::Missing => Err(InteractiveError::NotStarted.into()),
        Pane::Ended(exit_code) => Err(ended(look, exit_code)),
    }
}

fn ended(look: &Look, exit_code: Option<i32>) -> Error {
    InteractiveError::Ended { exit_code, screen: end_of(&look.screen) }.into()
}

fn unreachable(look: &Look) -> Error {
    InteractiveError::Unreachable { screen: end_of(&look.screen) }.into()
}

/// Returns the last lines of a screen on one line, without its drawings.
fn end_of(screen: &str) -> String {
    let is_text = |line: &&str| line.chars().any(char::is_alphanumeric);
    let lines: Vec<&str> = screen.lines().map(str::trim).filter(is_text).collect();
    let last = lines.len().saturating_sub(4);
    sanitize_stderr(lines[last..].join(" · ").as_bytes())
}

/// Returns a text as it is typed.
fn typed(text: &str) -> Result<String, RequestError> {
    let invalid = |reason: String| Err(RequestError::Invalid { what: "prompt", reason });
    let text = text.replace("\r\n", "\n");
    if text.trim().is_empty() {
        return invalid("it is empty".to_owned());
    }
    if text.len() > MAX_TYPED_BYTES {
        return invalid(format!(
            "it has {} bytes, at most {MAX_TYPED_BYTES} can be typed; put it in a file",
            text.len()
        ));
    }
    if let Some(steering) = text.chars().find(|&c| c.is_control() && c != '\n' && c != '\t') {
        return invalid(format!("it holds the control character {}", steering.escape_unicode()));
    }
    let shell = if text.trim_start().starts_with('!') { " " } else { "" };
    Ok(format!("{shell}{} ", text.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(text: &str) -> String {
        typed(text).unwrap_err().to_string()
    }

    #[test]
    fn types_any_text_and_ends_it_with_a_blank() {
        assert_eq!(typed("it's \"2\"\r\n\tof `5` 🦀\n").unwrap(), "it's \"2\"\n\tof `5` 🦀 ");
        assert_eq!(typed("see @RE").unwrap(), "see @RE ", "or the name would be completed");
        assert_eq!(typed("!ls").unwrap(), " !ls ", "or it would run in the shell");
    }

    #[test]
    fn rejects_what_would_be_keys_and_what_is_too_much_or_nothing() {
        insta::assert_snapshot!(rejected("a\u{1b}[201~b"), @r"invalid prompt: it holds the control character \u{1b}");
        insta::assert_snapshot!(rejected(" \n"), @"invalid prompt: it is empty");
        insta::assert_snapshot!(rejected(&"x".repeat(MAX_TYPED_BYTES + 1)), @"invalid prompt: it has 262145 bytes, at most 262144 can be typed; put it in a file");
        for character in ["\r", "\u{3}", "\u{0}", "\u{9b}"] {
            assert!(typed(&format!("a{character}b")).is_err(), "{character:?}");
        }
    }

    #[test]
    fn shows_the_last_words_of_a_screen() {
        let screen = "╭───╮\n│ one │\n\ntwo\nthree\u{1b}[2J\n────\nPane is dead\nfive\n";
        assert_eq!(end_of(screen), "two · three\\u{1b}[2J · Pane is dead · five");
    }
}
