//! What went wrong in a run, and what became of it.

use cage_proto::message::{Envelope, Payload, Timestamp};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, count, said, seconds_between};
use crate::watch::{Activity, Evidence as Seen, LogEvent};

/// Troubles in a report.
const MAX_TROUBLES: usize = 200;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trouble {
    /// When; the log tells no times.
    pub at: Option<Timestamp>,
    /// What kind it is: the agent's own name for it, or `malformed`, `api`, `turn`, `memory`, `crash`.
    pub kind: String,
    /// One line, safe to show.
    pub text: String,
    /// Whether the agent went on afterwards; nothing when that cannot be told.
    pub recovered: Option<bool>,
    /// How long after it the next sign of work came.
    pub recovered_seconds: Option<f64>,
}

/// Returns what went wrong, messages first, and how many troubles did not fit.
pub(super) fn of(evidence: &Evidence) -> (Vec<Trouble>, u64) {
    let mut troubles = reported(evidence);
    troubles.extend(malformed(evidence));
    troubles.extend(in_log(&evidence.log));
    troubles.extend(now(evidence));
    let more = troubles.len().saturating_sub(MAX_TROUBLES);
    troubles.truncate(MAX_TROUBLES);
    (troubles, more as u64)
}

fn reported(evidence: &Evidence) -> Vec<Trouble> {
    let sent: Vec<_> = evidence.sent().collect();
    let errors = sent.iter().enumerate().filter_map(|(index, message)| {
        let Payload::Error(error) = &message.payload else { return None };
        let at = message.timestamp.instant();
        let next =
            sent[index + 1..].iter().find(|later| is_work(later)).map(|later| later.timestamp.instant());
        Some(Trouble {
            at: Some(at.into()),
            kind: said(&error.error_type),
            text: said(&error.message),
            recovered: Some(next.is_some()),
            recovered_seconds: next.and_then(|next| seconds_between(at, next)),
        })
    });
    errors.collect()
}

/// Says whether a message shows that the agent goes on.
fn is_work(message: &Envelope) -> bool {
    match &message.payload {
        Payload::ProgressUpdate(_) | Payload::InfoRequest(_) => true,
        Payload::TaskComplete(done) => done.exit_code == 0,
        _ => false,
    }
}

fn malformed(evidence: &Evidence) -> impl Iterator<Item = Trouble> {
    evidence.malformed().map(|(entry, why)| Trouble {
        at: named_moment(&entry.name).map(Timestamp::from),
        kind: "malformed".to_owned(),
        text: said(&format!("{}: {why}", entry.name)),
        recovered: None,
        recovered_seconds: None,
    })
}

fn named_moment(name: &str) -> Option<DateTime<Utc>> {
    name.parse::<cage_proto::mailbox::EntryName>().ok().map(|name| name.instant())
}

fn in_log(log: &[LogEvent]) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let mut failures = Vec::new();
    for (index, event) in log.iter().enumerate() {
        match event {
            LogEvent::ApiRetry { status, error, .. } => failures.push((*status, error.as_str())),
            LogEvent::Text(_) | LogEvent::Thinking(_) | LogEvent::ToolUse { .. } => {
                troubles.extend(api(&failures, true));
                failures.clear();
            }
            LogEvent::Finished { is_error: true, text, .. } => {
                let later = &log[index + 1..];
                let recovered = later.iter().any(|e| matches!(e, LogEvent::Finished { is_error: false, .. }));
                troubles.push(untimed("turn", said(text), Some(recovered)));
            }
            _ => {}
        }
    }
    troubles.extend(api(&failures, false));
    troubles
}

/// One trouble for a row of failures of the API.
fn api(failures: &[(Option<u64>, &str)], recovered: bool) -> Option<Trouble> {
    let (status, error) = failures.last()?;
    let status = status.map(|status| format!("HTTP {status}, ")).unwrap_or_default();
    let times = count(failures.len() as u64, "failed call", "failed calls");
    Some(untimed("api", said(&format!("{times} of the API: {status}{error}")), Some(recovered)))
}

fn now(evidence: &Evidence) -> Vec<Trouble> {
    let kills = evidence.diagnosis.evidence.iter().find_map(|seen| match seen {
        Seen::OutOfMemory { kills } if *kills > 0 => Some(*kills),
        _ => None,
    });
    let memory = kills.map(|kills| {
        let processes = count(kills, "process was", "processes were");
        untimed("memory", format!("{processes} killed because the cage had no memory left"), None)
    });
    let crash = match evidence.activity() {
        Activity::Crashed { reason, .. } => Some(untimed("crash", said(reason), Some(false))),
        _ => None,
    };
    memory.into_iter().chain(crash).collect()
}

fn untimed(kind: &str, text: String, recovered: Option<bool>) -> Trouble {
    Trouble { at: None, kind: kind.to_owned(), text, recovered, recovered_seconds: None }
}
