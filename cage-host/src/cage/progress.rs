//! What is told while a cage is created.

use std::fmt;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::sanitize::sanitize;
use crate::transfer::{Arrival, Counted};

/// Longest text of one event that comes out of the cage, in characters.
const STEP_CHARS_MAX: usize = 60;

/// One step of creating a cage.
///
/// The steps come in this order. [`CreateEvent::Packing`] and [`CreateEvent::Cloning`] are repeated, at most five times
/// a second, while there is something new to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateEvent {
    /// The wish is being checked, and whether the engine can fulfil it.
    Checking,
    /// The engine cannot hold the cage to its limits, and takes them without a word. The cage is created all the same.
    Unlimited {
        /// What it cannot limit, as words: "memory and processes".
        what: String,
    },
    /// There is a container, or a folder on the embedded backend, that is not finished yet.
    ContainerCreated,
    /// The container runs.
    Started,
    /// A folder is on its way into the cage.
    Packing {
        /// Its place in the home, `project` for the project itself.
        place: String,
        /// Files and links sent so far.
        files: u64,
        /// Bytes of files sent so far.
        bytes: u64,
    },
    /// A folder has been sent as a whole.
    Packed {
        /// Its place in the home.
        place: String,
        /// What was sent.
        arrival: Arrival,
    },
    /// The repository is being cloned, inside the cage.
    Cloning {
        /// What git is at, in its own words, sanitized, at most 60 characters; empty at the beginning.
        step: String,
        /// How far that step is.
        percent: u8,
    },
    /// The project is being committed as the baseline.
    Committing,
    /// The cage is finished.
    Done,
}

impl fmt::Display for CreateEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checking => f.write_str("checking"),
            Self::Unlimited { what } => {
                write!(f, "WARNING: this engine cannot limit {what}; the doctor says what helps")
            }
            Self::ContainerCreated => f.write_str("created the container"),
            Self::Started => f.write_str("started the container"),
            Self::Packing { place, files, bytes } => {
                write!(f, "packing {place}: {files} files, {bytes} bytes so far")
            }
            Self::Packed { place, arrival } => {
                write!(f, "packed {place}: {} files, {} bytes", arrival.files, arrival.bytes)
            }
            Self::Cloning { step, .. } if step.is_empty() => f.write_str("cloning"),
            Self::Cloning { step, percent } => write!(f, "cloning: {step} {percent} %"),
            Self::Committing => f.write_str("committing the baseline"),
            Self::Done => f.write_str("done"),
        }
    }
}

/// Where a creation tells what it is at. Nobody has to listen.
#[derive(Debug)]
pub(super) struct Reporter {
    sender: UnboundedSender<CreateEvent>,
    last: Option<CreateEvent>,
}

impl Reporter {
    /// The channel has no bound of its own: what is sent is bounded by the deadlines of creating.
    pub(super) fn new() -> (Self, UnboundedReceiver<CreateEvent>) {
        let (sender, receiver) = unbounded_channel();
        (Self { sender, last: None }, receiver)
    }

    /// Tells something, unless it was what was told last.
    pub(super) fn say(&mut self, event: CreateEvent) {
        if self.last.as_ref() != Some(&event) {
            // Nobody may be listening, or not any more.
            let _ = self.sender.send(event.clone());
            self.last = Some(event);
        }
    }

    pub(super) fn packing(&mut self, place: &str, counted: &Counted) {
        let (files, bytes) = counted.now();
        if files > 0 {
            self.say(CreateEvent::Packing { place: place.to_owned(), files, bytes });
        }
    }

    /// Tells what a line of git's progress says, if it says how far it is.
    pub(super) fn git_line(&mut self, line: &str) {
        if let Some((step, percent)) = percentage(line) {
            self.say(CreateEvent::Cloning { step, percent });
        }
    }
}

/// Reads `Receiving objects:  45% (9/20)`, with or without `remote: ` before it.
fn percentage(line: &str) -> Option<(String, u8)> {
    let line = line.strip_prefix("remote: ").unwrap_or(line);
    let (step, rest) = line.split_once(':')?;
    let (percent, _) = rest.split_once('%')?;
    let percent = percent.trim().parse().ok().filter(|percent| *percent <= 100)?;
    let step: String = step.trim().chars().take(STEP_CHARS_MAX).collect();
    (!step.is_empty()).then(|| (sanitize(&step), percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_how_far_git_is() {
        let read = |line| percentage(line).map(|(step, percent)| format!("{step}={percent}"));
        assert_eq!(read("Receiving objects:  45% (9/20), 1.00 KiB").as_deref(), Some("Receiving objects=45"));
        assert_eq!(
            read("remote: Counting objects: 100% (3/3), done.").as_deref(),
            Some("Counting objects=100")
        );
        for line in ["", "Cloning into 'project'...", "a: 200%", "a: x%", ": 5%", "fatal: no"] {
            assert_eq!(read(line), None, "{line:?}");
        }
    }

    #[test]
    fn shows_nothing_that_a_repositorys_server_could_steer_a_terminal_with() {
        let (step, _) = percentage(&format!("remote: \u{1b}[2J{}: 5%", "x".repeat(1_000))).unwrap();
        assert!(!step.contains('\u{1b}') && step.len() < 100, "{step}");
    }

    #[test]
    fn tells_the_same_thing_once() {
        let (mut reporter, mut events) = Reporter::new();
        for _ in 0..3 {
            reporter.say(CreateEvent::Committing);
        }
        drop(reporter);
        assert_eq!(events.try_recv(), Ok(CreateEvent::Committing));
        assert!(events.try_recv().is_err());
    }
}
