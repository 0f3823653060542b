//! What can go wrong, and the exit code of each.

use std::io;
use std::path::PathBuf;

use cage_proto::exit_code::Exit;
use cage_proto::mailbox::{NoHome, PublishError, WaitError};
use cage_proto::message::{Kind, MemberError, MessageError, MessageId};
use serde_json::{Map, Value};

use crate::args::Request;
use crate::example;

#[derive(Debug)]
pub(crate) enum Error {
    /// The payload is no JSON object within the limits.
    Payload(MessageError),
    /// A member is missing or wrong; with it, what was given.
    Member(MemberError, Map<String, Value>),
    /// A message of the host was about to go into the agent's mailbox, or the other way round.
    WrongMailbox(Kind),
    /// A file or stdin could not be read.
    Input(PathBuf, io::Error),
    NoHome(NoHome),
    Publish(PublishError, MessageId),
    Wait(WaitError),
}

impl Error {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Payload(_)
            | Self::Member(..)
            | Self::WrongMailbox(_)
            | Self::Input(..)
            | Self::Publish(PublishError::Rejected(_), _) => Exit::Rejected,
            Self::NoHome(_) => Exit::Usage,
            Self::Publish(PublishError::Unknown(_), _) => Exit::Unknown,
            Self::Publish(..) | Self::Wait(_) => Exit::Storage,
        }
    }

    /// Says what happened, what it means for the message, and what to do.
    pub(crate) fn report(&self, request: &Request) -> String {
        let kind = request.kind;
        match self {
            Self::Payload(error) => {
                let members = Map::new();
                format!(
                    "{kind} was not sent: the payload is wrong: {error}\nTry:\n  {}",
                    example::command(kind, &members)
                )
            }
            Self::Member(error, members) => {
                format!("{kind} was not sent: {error}\nTry:\n  {}", example::command(kind, members))
            }
            Self::WrongMailbox(kind) => format!(
                "{kind} was not sent: it goes to the {}; add --mailbox {0}",
                cage_proto::mailbox::Mailbox::from(kind.direction())
            ),
            Self::Input(path, error) => {
                format!("{kind} was not sent: could not read {}: {error}", path.display())
            }
            Self::NoHome(error) => error.to_string(),
            Self::Publish(error @ PublishError::Unknown(_), id) => {
                format!("{}\nRepeat it with --id {id}; it is stored once.", with_causes(error))
            }
            Self::Publish(error, _) => with_causes(error),
            Self::Wait(error) => {
                format!("{kind} was sent, but the answer cannot be waited for: {}", with_causes(error))
            }
        }
    }
}

/// Writes an error with its causes on one line.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
