//! The host's git, in a repository of the host. It never sees a file that a cage wrote but the stream made of checked
//! contents, and it runs no hook.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::id::ObjectId;
use crate::error::{IoError, Result};
use crate::sanitize::sanitize_stderr;

/// Longest time for one call.
const DEADLINE: Duration = Duration::from_secs(300);

/// Variables that would make git work on another repository or with other settings than those of the folder.
const REDIRECTIONS: [&str; 12] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_REPLACE_REF_BASE",
];

/// A repository of the host.
#[derive(Debug)]
pub(super) struct HostGit<'a> {
    repo: &'a Path,
}

impl<'a> HostGit<'a> {
    pub(super) fn new(repo: &'a Path) -> Self {
        Self { repo }
    }

    /// Runs git and returns what it printed, or nothing when it ended with a failure.
    pub(super) async fn ask(&self, arguments: &[&str]) -> Result<Option<Vec<u8>>> {
        let output = self.run(arguments, Stdio::null()).await?;
        Ok(output.status.success().then_some(output.stdout))
    }

    /// Returns the commit that somebody names, in any way that git understands.
    pub(super) async fn commit(&self, revision: &str) -> Result<Option<ObjectId>> {
        let wanted = format!("{revision}^{{commit}}");
        let found = self.ask(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).await?;
        Ok(found.and_then(|found| ObjectId::new(found.trim_ascii())))
    }

    /// Returns what stands before every path below the folder in its repository, with its slash; `None` in no
    /// repository.
    pub(super) async fn prefix(&self) -> Result<Option<Vec<u8>>> {
        let Some(mut prefix) = self.ask(&["rev-parse", "--show-prefix"]).await? else { return Ok(None) };
        prefix.pop_if(|byte| *byte == b'\n');
        Ok(Some(prefix))
    }

    /// Runs git on an input and expects success.
    pub(super) async fn feed(&self, arguments: &[&str], input: File) -> Result<()> {
        let output = self.run(arguments, input.into()).await?;
        if output.status.success() {
            return Ok(());
        }
        let reason = sanitize_stderr(&output.stderr);
        Err(self.error("write the branch in", io::Error::other(reason)))
    }

    async fn run(&self, arguments: &[&str], input: Stdio) -> Result<Output> {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(self.repo)
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"])
            .args(arguments)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .stdin(input)
            .kill_on_drop(true);
        for name in REDIRECTIONS {
            command.env_remove(name);
        }
        match timeout(DEADLINE, command.output()).await {
            Ok(output) => output.map_err(|error| self.error("run `git` in", error)),
            Err(_) => Err(self.error("run `git` in", io::ErrorKind::TimedOut.into())),
        }
    }

    fn error(&self, operation: &'static str, source: io::Error) -> crate::Error {
        IoError { operation, path: PathBuf::from(self.repo), source }.into()
    }
}
