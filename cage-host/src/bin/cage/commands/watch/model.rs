//! What the dashboard shows.

use std::time::Duration;

use cage_host::Status;

use crate::output::one_line;

/// Everything that is shown. All text in it is one line and safe to show.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// All cages by name; nothing before the first list.
    pub(super) cages: Option<Vec<Row>>,
    pub(super) selected: usize,
    pub(super) mode: Mode,
    /// What was last said about something that was asked for.
    pub(super) notice: String,
    /// Time since the beginning.
    pub(super) clock: Duration,
    /// Whether something was done that has to be seen, whatever the list shows.
    pub(super) touched: bool,
}

/// A cage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    /// What its container does.
    pub(super) container: String,
    pub(super) bytes: Option<u64>,
    pub(super) look: Look,
}

/// What the last look into a cage has shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Look {
    #[default]
    NotYet,
    Seen(Seen),
    Failed(String),
}

/// What a look has shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) state: String,
    pub(super) progress: String,
    /// For how long the agent had been silent when it was looked at.
    pub(super) quiet_for: Option<Duration>,
    /// When that was, by [`Model::clock`].
    pub(super) at: Duration,
    pub(super) turns: Option<u64>,
    pub(super) cost_usd: Option<f64>,
}

/// What fills the screen, and what keys mean.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Mode {
    #[default]
    List,
    /// Reading; `from` is the first line that is shown.
    Reading { title: String, lines: Vec<String>, from: usize },
    /// Typing a revision for a cage.
    Revising { name: String, text: String },
    /// Asking whether a cage is to be stopped.
    Stopping { name: String },
}

impl Model {
    /// Returns the cage that keys are about.
    pub(super) fn chosen(&self) -> Option<&Row> {
        self.cages.as_deref()?.get(self.selected)
    }

    /// Returns for how long an agent has been silent by now.
    pub(super) fn silence(&self, seen: &Seen) -> Option<Duration> {
        Some(seen.quiet_for? + self.clock.saturating_sub(seen.at))
    }

    pub(super) fn count(&self) -> usize {
        self.cages.as_deref().unwrap_or_default().len()
    }
}

impl From<&Status> for Seen {
    fn from(status: &Status) -> Self {
        let said = status.activity.to_string();
        // `waiting_for_answer` has no room, and the question stands beside it.
        let word = status.activity.word().split('_').next().unwrap_or_default().to_owned();
        // What ends a task is more than the last progress before it.
        let behind = said.split_once(": ").map(|(_, rest)| rest.to_owned());
        let progress = behind.or_else(|| status.last_progress.clone()).unwrap_or_default();
        Self {
            state: word,
            progress: one_line(&progress),
            quiet_for: status.quiet_for,
            at: Duration::ZERO,
            turns: status.spent.map(|spent| spent.turns),
            cost_usd: status.spent.map(|spent| spent.cost_usd),
        }
    }
}
