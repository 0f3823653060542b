//! Times between messages.

use std::collections::HashMap;

use cage_proto::message::{Envelope, Payload};
use chrono::{DateTime, Utc};

use super::evidence::{Evidence, seconds_between};
use crate::mailbox::Entry;

/// How long after a message of the agent the next one came, in seconds. While the agent waits for its host it owes
/// none.
pub(super) fn working_gaps(evidence: &Evidence) -> Vec<f64> {
    let mut gaps = Vec::new();
    let mut before = evidence.launched_at;
    for message in evidence.sent() {
        let at = message.timestamp.instant();
        gaps.extend(before.and_then(|before| seconds_between(before, at)));
        before = (!waits_after(&message.payload)).then_some(at);
    }
    gaps
}

fn waits_after(payload: &Payload) -> bool {
    matches!(payload, Payload::TaskComplete(_) | Payload::GoingIdle(_) | Payload::InfoRequest(_))
}

/// Returns the middle one of some numbers.
pub(super) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

pub(super) fn longest(numbers: &[f64]) -> Option<f64> {
    numbers.iter().copied().max_by(f64::total_cmp)
}

/// Counts the numbers that are missing between messages. A file that is no message may have had one of them.
pub(super) fn missing(entries: &[Entry]) -> u64 {
    let (mut last, mut unreadable, mut missing) = (0_u64, 0_u64, 0_u64);
    for entry in entries {
        let Some(message) = entry.content.message() else {
            unreadable += 1;
            continue;
        };
        let Some(number) = message.seq else { continue };
        let between = number.saturating_sub(last).saturating_sub(1);
        missing = missing.saturating_add(between.saturating_sub(unreadable));
        (last, unreadable) = (number, 0);
    }
    missing
}

/// What the host did about the agent's messages.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    /// Seconds from a question to its answer, from a report to the next instruction, from a message to its `ack`.
    pub(super) seconds: Vec<f64>,
    pub(super) questions: u64,
    pub(super) unanswered: u64,
}

impl Reactions {
    pub(super) fn of(evidence: &Evidence) -> Self {
        let mut reactions = Self::default();
        let answers: HashMap<_, _> = evidence.received().rev().filter_map(answer).collect();
        let acks: HashMap<_, _> = evidence.received().rev().filter_map(ack).collect();
        for message in evidence.sent() {
            let at = message.timestamp.instant();
            let mut reacted = acks.get(message.id.as_str()).copied();
            match &message.payload {
                Payload::InfoRequest(request) => {
                    let answered = answers.get(request.request_id.as_str()).copied();
                    reactions.questions += 1;
                    reactions.unanswered += u64::from(answered.is_none());
                    reacted = reacted.or(answered);
                }
                Payload::TaskComplete(_) | Payload::GoingIdle(_) => {
                    reacted = reacted.or_else(|| next_instruction(evidence, at));
                }
                _ => {}
            }
            reactions.seconds.extend(reacted.and_then(|reacted| seconds_between(at, reacted)));
        }
        reactions
    }
}

fn answer(message: &Envelope) -> Option<(&str, DateTime<Utc>)> {
    match &message.payload {
        Payload::InfoResponse(answer) => Some((&answer.request_id, message.timestamp.instant())),
        _ => None,
    }
}

fn ack(message: &Envelope) -> Option<(&str, DateTime<Utc>)> {
    match &message.payload {
        Payload::Ack(ack) => Some((&ack.acked_id, message.timestamp.instant())),
        _ => None,
    }
}

fn next_instruction(evidence: &Evidence, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let instructions = evidence.received().filter(|m| matches!(m.payload, Payload::TaskRevision(_)));
    instructions.map(|message| message.timestamp.instant()).find(|at| *at > after)
}
