//! One program run to its end, and a report of the run for a test that fails.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long a program may run unless told otherwise: far above what any takes, far below a hung CI.
const DEADLINE: Duration = Duration::from_secs(60);

/// Entries of the folder that a report lists.
const LISTED_ENTRIES: usize = 100;

/// A program to run.
#[derive(Debug)]
#[must_use]
pub struct Run {
    program: OsString,
    arguments: Vec<OsString>,
    env: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    stdin: Vec<u8>,
    deadline: Duration,
}

impl Run {
    /// Prepares a run of `program` with no arguments and nothing on its standard input.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            env: BTreeMap::new(),
            folder: None,
            stdin: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// Adds arguments.
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable on top of the inherited ones.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.as_ref().to_owned(), value.as_ref().to_owned());
        self
    }

    /// Runs in `folder`, which a report then lists.
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().to_owned());
        self
    }

    /// Gives it this on its standard input.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    /// Kills it after this time instead of a minute.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end, or to the deadline.
    ///
    /// # Panics
    /// When it cannot be run at all.
    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    pub async fn finish(self) -> Finished {
        match self.try_finish().await {
            Ok(finished) => finished,
            Err(error) => panic!("cannot run {self}: {error}"),
        }
    }

    async fn try_finish(&self) -> io::Result<Finished> {
        // Files, not pipes: what was printed before the deadline is still there after it.
        let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).envs(&self.env).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            let text = self.stdin.clone();
            // A program that does not read all of it may have its reasons; its exit code tells.
            tokio::spawn(async move { stdin.write_all(&text).await });
        }
        let status = tokio::time::timeout(self.deadline, child.wait()).await.ok().transpose()?;
        if status.is_none() {
            child.kill().await?;
        }
        Ok(Finished {
            command: self.to_string(),
            folder: self.folder.clone(),
            status,
            stdout: read_back(&mut stdout)?,
            stderr: read_back(&mut stderr)?,
        })
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.display()))
    }
}

fn read_back(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A program that has ended, or was killed at its deadline. Its `Display` is the report for a failing test.
#[derive(Debug)]
pub struct Finished {
    command: String,
    folder: Option<PathBuf>,
    status: Option<ExitStatus>,
    stdout: String,
    stderr: String,
}

impl Finished {
    /// Asserts the exit code, exactly.
    ///
    /// # Panics
    /// With the whole report when the program ended otherwise.
    #[track_caller]
    #[must_use]
    pub fn exits_with(self, code: i32) -> Self {
        let ended = self.status.and_then(|status| status.code());
        assert!(ended == Some(code), "expected exit code {code}\n{self}");
        self
    }

    /// What it printed.
    pub fn stdout(&self) -> &str {
        &self.stdout
    }

    /// What it complained of.
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Whether it ended by itself and with exit code 0.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.command)?;
        match self.status {
            Some(status) => writeln!(f, "ended:   {status}")?,
            None => writeln!(f, "ended:   killed at its deadline")?,
        }
        if let Some(folder) = &self.folder {
            writeln!(f, "folder:  {}", folder.display())?;
            listing(folder).iter().try_for_each(|entry| writeln!(f, "    {entry}"))?;
        }
        write!(f, "--- stdout\n{}\n--- stderr\n{}\n---", self.stdout, self.stderr)
    }
}

/// Everything below `folder` with its size, sorted, at most [`LISTED_ENTRIES`] lines.
fn listing(folder: &Path) -> Vec<String> {
    let mut entries = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let Ok(data) = entry.metadata() else { continue };
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
            if data.is_dir() {
                folders.push(path);
                entries.push(format!("{name}/"));
            } else {
                entries.push(format!("{name}  {} bytes", data.len()));
            }
        }
    }
    entries.sort();
    let more = entries.len().saturating_sub(LISTED_ENTRIES);
    entries.truncate(LISTED_ENTRIES);
    entries.extend((more > 0).then(|| format!("… and {more} more")));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Run {
        Run::new("sh").args(["-c", script])
    }

    #[tokio::test]
    async fn keeps_exit_code_and_both_streams() {
        let run = shell("cat; echo no >&2; exit 74").stdin("yes");
        let finished = run.finish().await.exits_with(74);
        assert_eq!((finished.stdout(), finished.stderr()), ("yes", "no\n"));
    }

    #[tokio::test]
    async fn reports_command_folder_listing_status_and_both_streams() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("left.json"), "four").unwrap();
        let report = shell("echo out; echo err >&2; exit 3").folder(&folder).finish().await.to_string();
        let folder = folder.path().display();
        for part in
            ["sh -c echo out", &folder.to_string(), "left.json  4 bytes", "exit status: 3", "out\n", "err\n"]
        {
            assert!(report.contains(part), "no {part:?} in:\n{report}");
        }
    }

    #[tokio::test]
    async fn keeps_what_was_printed_before_the_deadline() {
        let finished = shell("echo begun; exec sleep 60").deadline(Duration::from_millis(300)).finish().await;
        assert!(!finished.succeeded());
        assert!(finished.to_string().contains("killed at its deadline\n--- stdout\nbegun"), "{finished}");
    }

    #[tokio::test]
    #[should_panic(expected = "expected exit code 0")]
    async fn rejects_another_exit_code_than_the_expected() {
        let _ = shell("exit 1").finish().await.exits_with(0);
    }
}
