//! Bollard's errors in this crate's words.

use bollard::errors::Error as BollardError;

use super::client::CALL_DEADLINE;
use crate::error::{CageError, EngineError, Error};
use crate::sanitize::sanitize;

/// What an engine says of a full disk, and of a full share of one.
const DISK_FULL: [&str; 2] = ["no space left on device", "disk quota exceeded"];

/// What Podman says of a container that does not run, in an answer that has no number of its own.
const IMPROPER_STATE: &str = "container state improper";

/// Who is at fault for a failed call, as far as the answer tells.
#[derive(Debug)]
pub(super) enum Blame {
    /// What was named does not exist.
    NotFound,
    /// What was named is in a state, or has a name, that forbids the call.
    Conflict,
    /// The engine answered with any other error.
    Refused(String),
    /// The engine took too long.
    Slow,
    /// The connection failed.
    Transport(String),
}

impl From<BollardError> for Blame {
    fn from(error: BollardError) -> Self {
        match error {
            BollardError::DockerResponseServerError { status_code: 404, .. } => Self::NotFound,
            BollardError::DockerResponseServerError { status_code: 409, .. } => Self::Conflict,
            BollardError::DockerResponseServerError { message, .. } if message.contains(IMPROPER_STATE) => {
                Self::Conflict
            }
            BollardError::DockerResponseServerError { message, .. } => Self::Refused(message),
            BollardError::DockerStreamError { error } => Self::Refused(error),
            BollardError::RequestTimeoutError => Self::Slow,
            other => Self::Transport(root_cause(&other)),
        }
    }
}

impl Blame {
    /// Makes the error for a call about a container that should be there and running.
    pub(super) fn into_error(self, operation: &'static str) -> Error {
        match self {
            Self::NotFound => CageError::Gone { operation }.into(),
            Self::Conflict => CageError::NotRunning { operation }.into(),
            Self::Refused(reason) if DISK_FULL.iter().any(|words| reason.contains(words)) => {
                EngineError::DiskFull { operation }.into()
            }
            Self::Refused(reason) => {
                EngineError::Refused { operation, reason: sanitize(reason.trim()) }.into()
            }
            Self::Slow => EngineError::TimedOut { operation, after: CALL_DEADLINE }.into(),
            Self::Transport(reason) => EngineError::Lost { operation, reason }.into(),
        }
    }
}

/// Returns what lies at the bottom of an error: "connection refused" says more than "client error (Connect)".
pub(super) fn root_cause(error: &BollardError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    sanitize(&cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Blame::from(BollardError::DockerResponseServerError { status_code, message: message.to_owned() })
            .into_error("look")
    }

    #[test]
    fn blames_the_disk_when_it_is_full() {
        for reason in ["write /var/lib/docker/x: no space left on device", "mkdir x: disk quota exceeded"] {
            let error = answer(500, reason);
            assert!(matches!(error, Error::Engine(EngineError::DiskFull { .. })), "{error:?}");
        }
    }

    #[test]
    fn tells_a_container_that_is_gone_from_one_that_is_stopped() {
        insta::assert_snapshot!(answer(404, "No such container"), @"the cage was removed, cannot look; create it again");
        insta::assert_snapshot!(answer(409, "Container is not running"), @"the cage is stopped or paused, cannot look; start it again, or salvage what is in it");
    }

    #[test]
    fn understands_podman_where_it_has_words_of_its_own() {
        let error =
            answer(500, "can only create exec sessions on running containers: container state improper");
        assert!(matches!(error, Error::Cage(CageError::NotRunning { .. })), "{error:?}");
    }

    #[test]
    fn shows_the_engines_own_words_sanitized() {
        insta::assert_snapshot!(answer(500, "bad\u{1b}[0m mount\n"), @r"the engine refused to look: bad\u{1b}[0m mount");
    }
}
