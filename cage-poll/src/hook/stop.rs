//! The model ends its turn.

use std::time::Duration;

use cage_proto::mailbox::CageDir;

use super::input::Answer;
use super::record::{self, Status};
use super::run::{Reply, parse};
use crate::delivery::{Bearer, CONTEXT_CHARS_MAX, Desk, Proof, Strictness};

pub(super) fn answer(dir: &CageDir, raw: &[u8]) -> Reply {
    let recorded = parse(raw).and_then(|input| {
        record::update(dir, input.session_id.as_deref(), raw, |record| {
            record.status = if input.background_tasks.is_empty() { Status::Done } else { Status::Paused };
            record.turn_count += 1;
            record.stopped_at = Some(record::now());
            record.last_message = input.last_assistant_message;
            record.background_tasks = input.background_tasks;
        })
    });
    let mut desk = Desk::open(dir)?;
    desk.settle(Proof::EndedTurn, Duration::ZERO)?;
    let parcel = desk.hand_over(Bearer::Stop, CONTEXT_CHARS_MAX, Strictness::PassBy, Duration::ZERO)?;
    if parcel.text.is_empty() {
        return recorded.map(|()| None);
    }
    // Messages matter more than the record: what went wrong with it shows again at the next end of a turn.
    Ok(Some(Answer::next_turn(parcel.text)))
}
