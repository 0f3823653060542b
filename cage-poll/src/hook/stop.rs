//! The model ends its turn.

use std::time::Duration;

use cage_proto::mailbox::CageDir;

use super::input::Answer;
use super::record::{self, Status};
use super::run::{Reply, Trouble, parse};
use crate::delivery::{Bearer, CONTEXT_CHARS_MAX, Desk, Proof, Strictness};

pub(super) fn answer(dir: &CageDir, raw: &[u8]) -> Reply {
    let handed = hand_over(dir);
    let goes_on = handed.as_ref().is_ok_and(|text| !text.is_empty());
    let recorded = record_end(dir, raw, goes_on);
    let text = handed?;
    if text.is_empty() {
        return recorded.map(|()| None);
    }
    // Messages matter more than the record: what went wrong with it shows again at the next end of a turn.
    Ok(Some(Answer::next_turn(text)))
}

/// Returns what is pending for the agent, which is its next turn.
fn hand_over(dir: &CageDir) -> Result<String, Trouble> {
    let mut desk = Desk::open(dir)?;
    desk.settle(Proof::EndedTurn, Duration::ZERO)?;
    let parcel = desk.hand_over(Bearer::Stop, CONTEXT_CHARS_MAX, Strictness::PassBy, Duration::ZERO)?;
    Ok(parcel.text)
}

/// Writes down that a turn ended. An agent that goes on with a message is not done, or whoever waits for it would
/// take its last word for the answer to that message.
fn record_end(dir: &CageDir, raw: &[u8], goes_on: bool) -> Result<(), Trouble> {
    let input = parse(raw)?;
    record::update(dir, input.session_id.as_deref(), raw, |record| {
        record.status = match input.background_tasks.as_slice() {
            _ if goes_on => Status::Running,
            [] => Status::Done,
            _ => Status::Paused,
        };
        record.turn_count += 1;
        record.stopped_at = Some(record::now());
        record.last_message = input.last_assistant_message.map(record::cut);
        record.background_tasks = input.background_tasks;
    })
}
