//! What can go wrong, and the exit code of each.

use std::io;

use cage_proto::exit_code::Exit;
use cage_proto::limits::LOCK_WAIT_MAX;
use cage_proto::mailbox::{NoHome, PublishError, StorageError, WaitError};

use crate::supervise::SuperviseError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    NoHome(#[from] NoHome),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("could not send going_idle")]
    GoingIdle(#[from] PublishError),
    #[error("could not write the output")]
    Output(#[from] io::Error),
    #[error(
        "another program has been reading with this cursor for {} s; use --consumer NAME for a cursor of your own",
        LOCK_WAIT_MAX.as_secs()
    )]
    CursorInUse,
    #[error(transparent)]
    Supervise(#[from] SuperviseError),
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Storage(error) => Self::Storage(error),
            WaitError::Output(error) => Self::Output(error),
        }
    }
}

impl Error {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::NoHome(_) => Exit::Usage,
            Self::Supervise(error) => error.exit(),
            Self::Storage(_) | Self::GoingIdle(_) | Self::Output(_) | Self::CursorInUse => Exit::Storage,
        }
    }

    /// Writes the error with its causes on one line.
    pub(crate) fn report(&self) -> String {
        with_causes(self)
    }
}

/// Writes an error with its causes on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
