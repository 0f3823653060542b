//! What can go wrong, sorted by who is at fault.
//!
//! Every `Display` is a lowercase fragment that says what happened and, where somebody can do something about it,
//! what to do. Text that comes out of a cage or from the engine has been through [`crate::sanitize`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cage::NameError;
use crate::interactive::InteractiveError;

/// The result of an operation on a host or a cage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a host or a cage failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller asked for something that cannot be done.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The container engine is missing, stuck, full or refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Something inside a cage failed or does not keep the contract.
    #[error(transparent)]
    Cage(#[from] CageError),
    /// A file or folder on the host could not be read or written.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// The caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A cage name breaks the rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Another cage has the name.
    #[error("a cage named `{name}` exists already; choose another name or destroy that one first")]
    NameTaken {
        /// The name asked for.
        name: String,
    },
    /// No cage has the name.
    #[error("no cage named `{name}` exists; it was never created or has been destroyed")]
    NoSuchCage {
        /// The name asked for.
        name: String,
    },
    /// Another snapshot has the name.
    #[error("a snapshot named `{name}` exists already; choose another name or remove that one first")]
    SnapshotExists {
        /// The name asked for.
        name: String,
    },
    /// No snapshot has the name.
    #[error("no snapshot named `{name}` exists; it was never made or has been removed")]
    NoSuchSnapshot {
        /// The name asked for.
        name: String,
    },
    /// What can only be done with a cage that does not run was asked of one that does.
    #[error("the cage `{name}` is running; use its diff and its outbox, or stop or pause it first")]
    StillRunning {
        /// The cage's name.
        name: String,
    },
    /// The cage has something at the place of a folder that is to be added.
    #[error(
        "the cage `{cage}` has a folder `{place}` already, or it is being added; choose another name or remove that one first"
    )]
    FolderExists {
        /// The cage's name.
        cage: String,
        /// The place asked for.
        place: String,
    },
    /// The cage has no extra folder of the name.
    #[error("the cage `{cage}` has no extra folder `{place}`; it was never added or has been removed")]
    NoSuchFolder {
        /// The cage's name.
        cage: String,
        /// The place asked for.
        place: String,
    },
    /// The project folder cannot be read.
    #[error("cannot use the project folder `{}`: {reason}; name a folder that exists and is readable", path.display())]
    Project {
        /// The folder as it was given.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
    /// Something in the project folder may not be read.
    #[error("cannot read `{}`: {reason}; make it readable, or name it in `.gitignore` to leave it out", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The agent would start without anything to sign in with.
    #[error(
        "no credential for the agent; set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or ANTHROPIC_BASE_URL for a gateway that needs none"
    )]
    NoCredential,
    /// A repository is to be cloned into a cage that reaches no network.
    #[error(
        "{url} cannot be cloned into a cage without a network; open it, or clone it on the host and use `CageSpec::from_dir`"
    )]
    CloneWithoutNetwork {
        /// The repository's address.
        url: String,
    },
    /// An agent is at work in the cage already.
    #[error(
        "an agent is at work in cage `{name}` already; send it a task_revision, prompt it if it is interactive, or wait until it has ended"
    )]
    AgentRunning {
        /// The cage's name.
        name: String,
    },
    /// No agent has ever worked in the cage, so that there is no conversation to go on with.
    #[error("there is nothing to resume in cage `{name}`; launch an agent with a new task")]
    NothingToResume {
        /// The cage's name.
        name: String,
    },
    /// An engine's address is not understood, or asks for something that is refused.
    #[error(
        "cannot use `{endpoint}` as an engine's address: {reason}; write unix:///path, tcp://host:port, https://host:port or ssh://user@host"
    )]
    Endpoint {
        /// The address, without a password that it may hold.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A Docker context does not exist.
    #[error("no Docker context `{name}` exists in `{}`; `docker context ls` lists them, DOCKER_CONTEXT names another", folder.display())]
    NoSuchContext {
        /// The name asked for.
        name: String,
        /// Where contexts are kept.
        folder: PathBuf,
    },
    /// A file that TLS needs cannot be used.
    #[error(
        "cannot use the certificate file `{}`: {reason}; DOCKER_CERT_PATH names the folder with ca.pem, and with cert.pem and key.pem for an engine that wants to know who asks", path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A value is outside what is allowed.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// The parameter.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A set of changes is exported through a handle of another cage.
    #[error(
        "these changes were read from cage `{from}`, not from `{asked}`; export them through the cage they came from"
    )]
    ForeignChanges {
        /// Where the changes were read.
        from: String,
        /// The cage that was asked to export them.
        asked: String,
    },
}

/// The container engine's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Nothing answers at the endpoint.
    #[error("no Docker engine answers at {endpoint} ({reason}); start Docker or set DOCKER_HOST")]
    Unreachable {
        /// The address that was tried.
        endpoint: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The engine took too long.
    #[error("the engine did not answer within {} s while asked to {operation}; restart it if this repeats", after.as_secs())]
    TimedOut {
        /// What it was asked to do.
        operation: &'static str,
        /// The deadline that passed.
        after: Duration,
    },
    /// The image does not exist locally.
    #[error("the image `{image}` does not exist; run `make image`, or name another image")]
    ImageMissing {
        /// The image asked for.
        image: String,
    },
    /// The disk that the engine stores containers on is full.
    #[error("the engine's disk is full while asked to {operation}; free space, then try again")]
    DiskFull {
        /// What it was asked to do.
        operation: &'static str,
    },
    /// The connection broke in the middle of an answer.
    #[error("lost the connection to the engine while asked to {operation}: {reason}")]
    Lost {
        /// What it was asked to do.
        operation: &'static str,
        /// What the transport said.
        reason: String,
    },
    /// The engine does not have the runtime.
    #[error("the engine has no runtime `{runtime}`, it has {}; install it there, or ask for another", known.join(", "))]
    RuntimeMissing {
        /// The runtime asked for.
        runtime: String,
        /// Those that it has, by name.
        known: Vec<String>,
    },
    /// The engine cannot give a cage what was asked for.
    #[error("the engine cannot give a cage {what}: {reason}; leave it out, or use another engine")]
    Unsupported {
        /// What was asked for.
        what: &'static str,
        /// Why it cannot.
        reason: String,
    },
    /// The engine answered with an error.
    #[error("the engine refused to {operation}: {reason}")]
    Refused {
        /// What it was asked to do.
        operation: &'static str,
        /// The engine's own words.
        reason: String,
    },
}

/// A failure of what runs inside a cage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CageError {
    /// The interactive agent cannot be started or given a prompt.
    #[error(transparent)]
    Interactive(#[from] InteractiveError),
    /// The container was removed.
    #[error("the cage was removed, cannot {operation}; create it again")]
    Gone {
        /// What was asked for.
        operation: &'static str,
    },
    /// The container is stopped or paused.
    #[error("the cage is stopped or paused, cannot {operation}; start it again, or salvage what is in it")]
    NotRunning {
        /// What was asked for.
        operation: &'static str,
    },
    /// A program that the image must have is not there.
    #[error("the cage has no program `{program}`, needed to {operation}; use an image built by `make image`")]
    ProgramMissing {
        /// What it was needed for.
        operation: &'static str,
        /// The program's name.
        program: String,
    },
    /// A folder of the cage's home that the program was to run in is not there.
    #[error(
        "the cage has no folder `{folder}` any more, needed to {operation}; bring home what there is, and create \
         another cage"
    )]
    FolderMissing {
        /// What it was needed for.
        operation: &'static str,
        /// Where it was in the cage.
        folder: String,
    },
    /// A repository could not be cloned.
    #[error("could not clone {url} in the cage: {reason}; see that it exists and needs no sign-in")]
    CloneFailed {
        /// The repository's address; it holds no credential.
        url: String,
        /// What git said, sanitized.
        reason: String,
    },
    /// The agent's program is there but does not start.
    #[error("`{agent} --version` failed in the cage{}; use an image built by `make image`", detail(reason))]
    AgentBroken {
        /// The agent's program.
        agent: String,
        /// What it said, sanitized.
        reason: String,
    },
    /// The hooks through which the agent gets its messages do not run.
    #[error(
        "the agent's hooks do not work in the cage{}; use an image built by `make image`",
        detail(reason)
    )]
    HooksBroken {
        /// What the check said, sanitized.
        reason: String,
    },
    /// A program ended with a failure.
    #[error("could not {operation} in the cage: exit code {code}{}", detail(stderr))]
    Exited {
        /// What it was run for.
        operation: &'static str,
        /// Its exit code.
        code: i64,
        /// The end of its error output, sanitized.
        stderr: String,
    },
    /// A program did not end in time.
    #[error("could not {operation} in the cage within {} s", after.as_secs())]
    TimedOut {
        /// What it was run for.
        operation: &'static str,
        /// The deadline that passed.
        after: Duration,
    },
    /// The cage's disk, or its share of one, is full.
    #[error("the cage's disk is full, cannot {operation}; free space, then try again")]
    DiskFull {
        /// What was asked for.
        operation: &'static str,
    },
    /// The cage sent more than the host is willing to read.
    #[error("the cage sent more than the limit of {limit} {unit} while the host wanted to {operation}")]
    TooMuch {
        /// What the host was doing.
        operation: &'static str,
        /// The limit that was passed.
        limit: u64,
        /// What the limit counts.
        unit: &'static str,
    },
    /// The cage's answer has not the agreed form.
    #[error("the cage gave an answer that makes no sense to {operation}: {reason}")]
    Malformed {
        /// What the host was doing.
        operation: &'static str,
        /// What is wrong with the answer.
        reason: String,
    },
}

impl From<InteractiveError> for Error {
    fn from(error: InteractiveError) -> Self {
        Self::Cage(error.into())
    }
}

fn detail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" ({stderr})") }
}

/// A failed operation on a file or folder of the host.
///
/// Its text holds what the system said, so that it is whole wherever it is shown. Therefore it has no
/// [`source`](std::error::Error::source): who prints a chain of errors would print that twice.
#[derive(Debug)]
pub struct IoError {
    /// What was tried.
    pub operation: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} `{}`: {}", self.operation, self.path.display(), self.source)
    }
}

impl std::error::Error for IoError {}

/// Adds operation and path to an [`io::Error`].
pub(crate) trait IoContext<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn context(self, operation: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| IoError { operation, path: path.to_owned(), source }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_do_when_no_engine_answers() {
        let error =
            EngineError::Unreachable { endpoint: "unix:///nowhere".into(), reason: "no such file".into() };
        insta::assert_snapshot!(error, @"no Docker engine answers at unix:///nowhere (no such file); start Docker or set DOCKER_HOST");
    }

    #[test]
    fn says_what_to_do_when_the_image_is_missing() {
        let error = EngineError::ImageMissing { image: "cage:latest".into() };
        insta::assert_snapshot!(error, @"the image `cage:latest` does not exist; run `make image`, or name another image");
    }

    #[test]
    fn says_what_the_system_said_once_in_a_chain_of_errors() {
        let error: Error =
            Err::<(), _>(io::Error::other("it is on fire")).context("read", Path::new("/here")).unwrap_err();
        let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        let chain = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
        insta::assert_snapshot!(chain, @"cannot read `/here`: it is on fire");
    }

    #[test]
    fn leaves_the_brackets_out_when_a_program_said_nothing() {
        let error = CageError::Exited { operation: "list the project", code: 2, stderr: String::new() };
        insta::assert_snapshot!(error, @"could not list the project in the cage: exit code 2");
    }
}
