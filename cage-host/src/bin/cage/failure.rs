//! What can go wrong, and what to do next.

use std::io;
use std::path::PathBuf;

use cage_host::message::{Kind, MemberError};
use cage_host::{CageError, EngineError, Error, RequestError};

use crate::output::BadJson;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The library says it.
    #[error(transparent)]
    Host(#[from] Error),
    /// `exists` did not learn the answer.
    #[error("cannot tell whether the cage exists: {0}")]
    CannotTell(Error),
    /// A command of the host was typed in a cage.
    #[error("this is the inside of a cage: the host's commands are for outside")]
    Inside,
    /// Options that do not go together, beyond what the parser sees.
    #[error("{0}")]
    Usage(String),
    /// A file that the command line names.
    #[error("cannot read `{}`: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    /// A file that is to hold an answer.
    #[error("cannot write `{}`: {error}", path.display())]
    NotWritten { path: PathBuf, error: io::Error },
    /// A payload that is no JSON object.
    #[error(transparent)]
    Payload(#[from] BadJson),
    /// A payload with a missing or wrong member.
    #[error("the payload of `{kind}` is wrong: {error}")]
    Member { kind: Kind, error: MemberError },
    /// A person said no, or nobody could be asked.
    #[error("{0}")]
    NotConfirmed(&'static str),
    /// Nothing came in time.
    #[error("{0}")]
    TimedOut(String),
    /// Something else, and what to do about it.
    #[error("{what}")]
    Other { what: String, hint: String },
    /// The answer could not be printed.
    #[error("cannot print: {0}")]
    Output(io::Error),
    /// The program itself could not be set up.
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Ctrl-C, or another signal.
    #[error("interrupted")]
    Interrupted(i32),
}

impl Failure {
    /// Names the one at fault, for programs.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Host(error) | Self::CannotTell(error) => match error {
                Error::Request(RequestError::NoSuchCage { .. }) => "no_such_cage",
                Error::Request(RequestError::NameTaken { .. }) => "name_taken",
                Error::Request(_) => "request",
                Error::Engine(_) => "engine",
                Error::Cage(CageError::NotRunning { .. }) => "not_running",
                Error::Cage(_) => "cage",
                Error::Io(_) => "io",
                _ => "other",
            },
            Self::Usage(_) => "usage",
            Self::Inside => "inside_a_cage",
            Self::File { .. } | Self::NotWritten { .. } | Self::Output(_) | Self::Runtime(_) => "io",
            Self::Payload(_) | Self::Member { .. } => "payload",
            Self::NotConfirmed(_) => "not_confirmed",
            Self::TimedOut(_) => "timed_out",
            Self::Other { .. } => "other",
            Self::Interrupted(_) => "interrupted",
        }
    }

    /// Says which command helps, where one does.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Host(error) | Self::CannotTell(error) => hint(error).map(str::to_owned),
            Self::Inside => Some("cage-send and cage-poll talk with the host from here".to_owned()),
            Self::Member { kind, .. } => {
                Some(format!("for example: cage inbox NAME {kind} '{}'", kind.example()))
            }
            Self::Other { hint, .. } => Some(hint.clone()),
            Self::Usage(_) => Some("cage help COMMAND lists the options".to_owned()),
            _ => None,
        }
    }
}

fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Request(RequestError::NoSuchCage { .. }) => Some("cage list shows the cages that exist"),
        Error::Request(RequestError::NameTaken { .. }) => {
            Some("choose another with --name, or remove that cage with: cage destroy NAME")
        }
        Error::Request(RequestError::FolderExists { .. }) => {
            Some("choose another with --name, or remove that folder with: cage remove-dir NAME FOLDER")
        }
        Error::Request(RequestError::NoSuchFolder { .. }) => {
            Some("cage list --json names the folders of each cage, and cage add-dir adds one")
        }
        Error::Engine(EngineError::ImageMissing { .. }) => Some("cage build-image makes it"),
        Error::Engine(EngineError::Unreachable { .. } | EngineError::TimedOut { .. }) => {
            Some("cage doctor says what was tried, and what to do")
        }
        Error::Cage(CageError::NotRunning { .. }) => {
            Some("cage start lets it go on, cage salvage reads it as it is")
        }
        _ => None,
    }
}
