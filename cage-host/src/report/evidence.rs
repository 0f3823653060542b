//! What was seen of a run.

use std::time::Duration;

use cage_proto::agent::Session;
use cage_proto::message::{Envelope, Payload};
use chrono::{DateTime, Utc};

use crate::mailbox::Entry;
use crate::sanitize::sanitize;
use crate::transfer::Changes;
use crate::watch::{Activity, Diagnosis, LogEvent};

/// Characters of one text in a report.
const TEXT_CHARS: usize = 240;

/// What was seen of a run. What is missing was not found out.
#[derive(Debug, Clone)]
pub(super) struct Evidence {
    pub(super) cage: String,
    /// By the clock of the host.
    pub(super) taken_at: DateTime<Utc>,
    pub(super) created_at: Option<DateTime<Utc>>,
    /// When the last launch wrote its task, to the second.
    pub(super) launched_at: Option<DateTime<Utc>>,
    pub(super) session: Option<Session>,
    pub(super) outbox: Vec<Entry>,
    pub(super) inbox: Vec<Entry>,
    /// Whether there were more messages than were read.
    pub(super) messages_cut: bool,
    pub(super) log: Vec<LogEvent>,
    /// Whether the log may have a beginning that was not read.
    pub(super) log_cut: bool,
    pub(super) diagnosis: Diagnosis,
    pub(super) changes: Option<ChangeSummary>,
}

/// What an export would bring, and what it would not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ChangeSummary {
    pub(super) files: u64,
    /// Paths that are held back, each with the reason; safe to show.
    pub(super) held_back: Vec<(String, String)>,
    /// What the cage offered that makes no sense.
    pub(super) refused: u64,
    pub(super) protected_files: u64,
}

impl From<&Changes> for ChangeSummary {
    fn from(changes: &Changes) -> Self {
        let held = changes.iter().filter_map(|change| {
            Some((crate::sanitize::sanitize_path(change.path()), change.hold()?.to_string()))
        });
        Self {
            files: changes.len() as u64,
            held_back: held.collect(),
            refused: (changes.refused().len() + changes.refused_more()) as u64,
            protected_files: changes.protected().iter().map(|place| place.files).sum(),
        }
    }
}

impl Evidence {
    /// Returns the agent's messages in order.
    pub(super) fn sent(&self) -> impl DoubleEndedIterator<Item = &Envelope> {
        self.outbox.iter().filter_map(|entry| entry.content.message())
    }

    /// Returns the host's messages in order.
    pub(super) fn received(&self) -> impl DoubleEndedIterator<Item = &Envelope> {
        self.inbox.iter().filter_map(|entry| entry.content.message())
    }

    /// Returns the files of both mailboxes that are no messages, each with the reason.
    pub(super) fn malformed(&self) -> impl Iterator<Item = (&Entry, String)> {
        let entries = self.outbox.iter().chain(&self.inbox);
        entries
            .filter(|entry| entry.content.message().is_none())
            .map(|entry| (entry, entry.content.to_string()))
    }

    /// Returns when the agent's last report that its task is over came.
    pub(super) fn completed_at(&self) -> Option<DateTime<Utc>> {
        let complete = |message: &&Envelope| matches!(message.payload, Payload::TaskComplete(_));
        self.sent().rev().find(complete).map(|message| message.timestamp.instant())
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.diagnosis.status.activity
    }
}

/// Shows a text on one line, safe to show and cut.
pub(super) fn said(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown = sanitize(&line);
    if let Some((end, _)) = shown.char_indices().nth(TEXT_CHARS) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// Returns the seconds from one moment to a later one; nothing when it is not later.
pub(super) fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<f64> {
    (to - from).to_std().ok().map(|time| rounded(time.as_secs_f64()))
}

/// Rounds to thousandths: what is finer is noise here.
pub(super) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Writes a time as a person reads it.
pub(super) fn in_words(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{whole} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Writes a number with the noun that it counts.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
