//! One look into a cage, and what it comes to.

use std::time::Duration;

use super::diagnosis::Diagnosis;
use super::frame;
use super::script;
use super::snapshot::Snapshot;
use super::status::{Activity, Status};
use crate::backend::Running;
use crate::cage::{CageState, Place};
use crate::error::{CageError, Error, Result};

pub(super) const STATUS: &str = "look at the agent's status";

/// Longest time for one look.
const LOOK_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of one look: 64 messages of at most 64 KiB, the session, the end of the log, and what wraps them.
const MAX_LOOK_BYTES: usize = 8 * 1024 * 1024;

/// Reads looks, one behind the other, from a program in the cage.
#[derive(Debug, Default)]
pub(super) struct Looks {
    unread: Vec<u8>,
}

impl Looks {
    /// Waits for the next look; nothing when the program has ended before it.
    pub(super) async fn next(&mut self, running: &mut Running) -> Result<Option<Snapshot>> {
        loop {
            if let Some(length) = frame::length(&self.unread).map_err(malformed)? {
                let look: Vec<u8> = self.unread.drain(..length).collect();
                return Snapshot::parse(&look).map(Some).map_err(malformed);
            }
            let Some(bytes) = running.next_stdout().await? else { return Ok(None) };
            self.unread.extend_from_slice(&bytes);
            if self.unread.len() > MAX_LOOK_BYTES {
                let limit = MAX_LOOK_BYTES as u64;
                return Err(CageError::TooMuch { operation: STATUS, limit, unit: "bytes" }.into());
            }
        }
    }
}

pub(super) fn malformed(reason: &str) -> Error {
    CageError::Malformed { operation: STATUS, reason: reason.to_owned() }.into()
}

/// Takes a snapshot by one program in the cage.
///
/// A look says itself where it ends, so the engine is not asked how the program did.
async fn look(place: &Place, more: bool) -> Result<Snapshot> {
    let mut running = place.exec(script::once(STATUS, &place.layout, more, LOOK_DEADLINE)).await?;
    if let Some(snapshot) = Looks::default().next(&mut running).await? {
        return Ok(snapshot);
    }
    running.success().await?;
    Err(malformed("its look into the cage broke off"))
}

/// Says what a cage does in which nothing can be run.
async fn without_look(place: &Place, error: Error) -> Result<Activity> {
    match error {
        Error::Cage(CageError::Gone { .. }) => Ok(Activity::Gone),
        Error::Cage(CageError::NotRunning { .. }) => match place.state().await {
            Ok(CageState::Paused) => Ok(Activity::Paused),
            // Somebody started it meanwhile; the next look shows what it does.
            Ok(_) => Ok(Activity::Stopped),
            Err(Error::Cage(CageError::Gone { .. })) => Ok(Activity::Gone),
            Err(error) => Err(error),
        },
        other => Err(other),
    }
}

/// Says what a cage does, by one program in it.
pub(crate) async fn status(place: &Place) -> Result<Status> {
    match look(place, false).await {
        Ok(snapshot) => Ok(Status::of(&snapshot)),
        Err(error) => without_look(place, error).await.map(Status::without_look),
    }
}

/// Says what a cage does, why, and what to do about it, by one program in it.
pub(crate) async fn diagnose(place: &Place) -> Result<Diagnosis> {
    match look(place, true).await {
        Ok(snapshot) => Ok(Diagnosis::of(&snapshot)),
        Err(error) => {
            let said = error.to_string();
            let activity = without_look(place, error).await?;
            Ok(Diagnosis::without_look(Status::without_look(activity), said))
        }
    }
}
