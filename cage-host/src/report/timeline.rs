//! What happened when.

use cage_proto::message::{Envelope, Payload, Timestamp};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, said};
use super::run_report::Grade;

/// Moments in a report.
const MAX_MOMENTS: usize = 1_000;

/// Something that happened at a known time. The log tells no times, so nothing of it is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Moment {
    /// When, by the clock of the cage.
    pub at: Timestamp,
    /// Who did it.
    pub track: Track,
    /// How it is.
    pub grade: Grade,
    /// What it is, in one word, for example `progress`.
    pub kind: String,
    /// One line, safe to show.
    pub text: String,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Track {
    /// The host: it creates, launches, answers, revises.
    Host,
    /// The agent: it reports and asks.
    Agent,
}

/// Returns what happened, oldest first, and how many earlier moments did not fit.
pub(super) fn of(evidence: &Evidence) -> (Vec<Moment>, u64) {
    let host = |at: DateTime<Utc>, kind: &str| moment(at, Track::Host, Grade::Good, kind, "");
    let mut moments: Vec<_> = evidence.created_at.map(|at| host(at, "created")).into_iter().collect();
    moments.extend(evidence.launched_at.map(|at| host(at, "launched")));
    moments.extend(evidence.sent().map(|message| from_message(message, Track::Agent)));
    moments.extend(evidence.received().map(|message| from_message(message, Track::Host)));
    let last = evidence.session.as_ref().map(|session| session.last_activity.instant());
    moments.extend(last.map(|at| moment(at, Track::Agent, Grade::Good, "last output", "")));
    moments.sort_by_key(|moment| moment.at.instant());
    let more = moments.len().saturating_sub(MAX_MOMENTS);
    moments.drain(..more);
    (moments, more as u64)
}

fn moment(at: DateTime<Utc>, track: Track, grade: Grade, kind: &str, text: &str) -> Moment {
    Moment { at: at.into(), track, grade, kind: said(kind), text: said(text) }
}

fn from_message(message: &Envelope, track: Track) -> Moment {
    let (grade, kind, text) = match &message.payload {
        Payload::ProgressUpdate(progress) => (Grade::Good, "progress", progress.status.clone()),
        Payload::Error(error) => (Grade::Bad, "error", format!("{}: {}", error.error_type, error.message)),
        Payload::InfoRequest(request) => (Grade::Concern, "question", request.description.clone()),
        Payload::TaskComplete(done) if done.exit_code == 0 => (Grade::Good, "complete", done.summary.clone()),
        Payload::TaskComplete(done) => {
            (Grade::Concern, "complete", format!("exit code {}: {}", done.exit_code, done.summary))
        }
        Payload::GoingIdle(idle) => (Grade::Concern, "idle", idle.reason.clone()),
        Payload::InfoResponse(answer) => (Grade::Good, "answer", answer.request_id.clone()),
        Payload::TaskRevision(revision) => (Grade::Good, "revision", revision.instructions.clone()),
        Payload::Ack(ack) => (Grade::Good, "ack", ack.acked_id.clone()),
        Payload::Unknown(unknown) => (Grade::Concern, unknown.name(), String::new()),
    };
    moment(message.timestamp.instant(), track, grade, kind, &text)
}

impl Track {
    /// Returns the track as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Agent => "agent",
        }
    }
}
