//! Messages to the agent.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cage_proto::env::{IdSource as _, System};
use cage_proto::exit_code;
use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Envelope, InfoRequest, InfoResponse, MessageId, Payload};

use super::answer::{Answer, collect};
use super::listing::{self, Listing, Select};
use crate::backend::{Exec, Stdin};
use crate::cage::Place;
use crate::error::{CageError, EngineError, Error, RequestError, Result};

const SEND: &str = "send a message into the inbox";

/// A shell says in one way on all engines that the program is missing.
const SEND_SCRIPT: &str = "exec cage-send \"$@\"";

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
    /// - [`CageError::ProgramMissing`] when the image has no `cage-send`: the host never writes the file by itself,
    ///   since the lock, the order and the durability of a mailbox are the program's.
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

    /// Answers a question with whatever a callback makes of it.
    ///
    /// The answer goes to this question whatever name it bears. A callback that refuses, with a reason, has the agent
    /// told so, and it does not wait for ever. Returns the message as it was stored.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage, request: cage_host::message::InfoRequest) -> cage_host::Result<()> {
    /// use cage_host::message::InfoResponse;
    ///
    /// let answer = |request: cage_host::message::InfoRequest| async move {
    ///     match request.description.contains("colour") {
    ///         true => Ok(InfoResponse::to(request.request_id).with_content("blue")),
    ///         false => Err("nobody here knows".to_owned()),
    ///     }
    /// };
    /// cage.inbox().answer_with(&request, answer).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`Inbox::send`].
    pub async fn answer_with<F>(
        &self,
        request: &InfoRequest,
        answer: impl FnOnce(InfoRequest) -> F,
    ) -> Result<Envelope>
    where
        F: Future<Output = Result<InfoResponse, String>>,
    {
        let mut response = answer(request.clone()).await.unwrap_or_else(|reason| {
            InfoResponse::to("").with_content(format!("your host does not answer this: {reason}"))
        });
        response.request_id.clone_from(&request.request_id);
        self.send(response).await
    }

    /// Lists what lies in the inbox, read by the agent or not. Works like [`Outbox::list`](crate::Outbox::list).
    ///
    /// # Errors
    /// Like [`Outbox::list`](crate::Outbox::list).
    pub async fn list(&self, select: Select) -> Result<Listing> {
        listing::list(&self.place, Mailbox::Inbox, &select).await
    }

    async fn try_send(&self, type_name: &str, id: &MessageId, payload: Bytes) -> Result<Envelope> {
        let mut argv = vec!["sh", "-c", SEND_SCRIPT, "sh", type_name];
        argv.extend(["--mailbox", Mailbox::Inbox.name(), "--id", id.as_str(), "--json", "-"]);
        let exec = Exec::new(SEND, argv, SEND_DEADLINE).stdin(Stdin::Bytes(payload)).keeping_exit_codes();
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
