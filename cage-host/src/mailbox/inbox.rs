//! Messages to the agent.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cage_proto::env::{IdSource as _, System};
use cage_proto::exit_code;
use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Envelope, InfoRequest, MessageId, Payload};

use super::answer::{Answer, collect};
use crate::backend::{Exec, Stdin};
use crate::cage::Place;
use crate::error::{CageError, EngineError, Error, RequestError, Result};

const SEND: &str = "send a message into the inbox";

/// Longest time for one attempt to send; a publish waits up to 30 s for a stopped writer's lock.
const SEND_DEADLINE: Duration = Duration::from_secs(60);

/// Attempts at a message whose fate is unknown. Each carries the same id, so it is stored once.
const ATTEMPTS: u32 = 3;

/// The mailbox that the host writes and the agent reads.
#[derive(Debug, Clone)]
pub struct Inbox {
    place: Place,
}

impl Inbox {
    pub(crate) fn new(place: Place) -> Self {
        Self { place }
    }

    /// Sends a message and returns it as it was stored: when this returns, it survives a crash of the cage.
    ///
    /// An attempt whose outcome is unknown is repeated under the same id, which stores the message once.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] when the payload is larger than a message may be, or `cage-send` refuses it.
    /// - [`CageError`] when the cage is gone or its disk is full or read-only.
    /// - [`EngineError`] when the engine fails; the message may then have been stored.
    pub async fn send(&self, payload: impl Into<Payload>) -> Result<Envelope> {
        let payload = payload.into();
        let bytes = serde_json::to_vec(&payload).map_err(|error| refused(&error.to_string()))?;
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(refused(&format!(
                "it has {} bytes, at most {MESSAGE_BYTES_MAX} are allowed",
                bytes.len()
            )));
        }
        let id = System.next_id();
        let bytes = Bytes::from(bytes);
        let mut attempt = 1;
        loop {
            match self.try_send(payload.type_name(), &id, bytes.clone()).await {
                Err(error) if attempt < ATTEMPTS && is_unknown(&error) => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    /// Answers a question with files of the host.
    ///
    /// Only regular files beneath `folder` are read, links are not followed, and both their number and their size are
    /// capped. The agent is told of every file that it does not get, and so is the caller.
    ///
    /// # Errors
    /// Like [`Inbox::send`], and [`IoError`](crate::IoError) when the folder itself cannot be opened.
    pub async fn answer(&self, request: &InfoRequest, folder: impl AsRef<Path>) -> Result<Answer> {
        let (answer, response) = collect(request.clone(), folder.as_ref().to_owned()).await?;
        self.send(response).await?;
        Ok(answer)
    }

    async fn try_send(&self, type_name: &str, id: &MessageId, payload: Bytes) -> Result<Envelope> {
        let argv =
            ["cage-send", type_name, "--mailbox", Mailbox::Inbox.name(), "--id", id.as_str(), "--json", "-"];
        let exec = Exec::new(SEND, argv, SEND_DEADLINE).stdin(Stdin::Bytes(payload));
        let printed = self.place.exec(exec).await?.collect(2 * MESSAGE_BYTES_MAX).await.map_err(judge)?;
        Envelope::parse(&printed)
            .map_err(|error| CageError::Malformed { operation: SEND, reason: error.to_string() }.into())
    }
}

/// Tells the caller's mistakes from the cage's.
fn judge(error: Error) -> Error {
    match error {
        Error::Cage(CageError::Exited { code, stderr, .. }) if code == exit_code::Exit::Rejected as i64 => {
            refused(&stderr)
        }
        other => other,
    }
}

fn refused(reason: &str) -> Error {
    RequestError::Invalid { what: "message", reason: reason.to_owned() }.into()
}

/// Says whether the message may or may not have been stored.
fn is_unknown(error: &Error) -> bool {
    match error {
        Error::Cage(CageError::Exited { code, .. }) => *code == exit_code::Exit::Unknown as i64,
        Error::Cage(CageError::TimedOut { .. })
        | Error::Engine(EngineError::Lost { .. } | EngineError::TimedOut { .. }) => true,
        _ => false,
    }
}
