//! A message folder of its own for each test, and the program run in it.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use cage_proto::env::{IdSource as _, System};
use cage_proto::mailbox::{CageDir, Draft, EntryName, Mailbox, publish};
use cage_proto::message::{Payload, TaskRevision};
use serde_json::Value;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cage-poll");

pub(crate) struct Cage {
    _temp: TempDir,
    pub(crate) dir: CageDir,
}

/// What a run of the program left to see.
pub(crate) struct Ran(pub(crate) Output);

impl Cage {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { dir: CageDir::new(temp.path().join("cage")), _temp: temp }
    }

    /// The program with this folder as its message folder.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).env("CAGE_DIR", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn poll<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        Ran(self.command(args).output().unwrap())
    }

    /// Runs a shell's script, in which `"$0"` is the program.
    pub(crate) fn shell(&self, script: &str) -> Ran {
        let mut bash = Command::new("bash");
        Ran(bash.args(["-c", script, PROGRAM]).env("CAGE_DIR", self.dir.path()).output().unwrap())
    }

    /// Starts the program and returns once it has said that it waits.
    pub(crate) fn start_waiting(&self, args: &[&str]) -> Waiting {
        let mut child = self.command(args).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        assert!(line.starts_with("POLL_START "), "{line}");
        Waiting { child, stderr }
    }

    /// Publishes a `task_revision` in the inbox.
    pub(crate) fn revise(&self, instructions: &str) -> EntryName {
        self.publish(Mailbox::Inbox, TaskRevision::new(instructions).into())
    }

    pub(crate) fn publish(&self, mailbox: Mailbox, payload: Payload) -> EntryName {
        let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload };
        publish(&self.dir.mailbox(mailbox), &draft, &System).unwrap().name
    }

    /// Puts a file into the inbox as a foreign writer would.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.inbox()).unwrap();
        fs::write(self.inbox().join(name), content).unwrap();
    }

    pub(crate) fn inbox(&self) -> PathBuf {
        self.dir.mailbox(Mailbox::Inbox)
    }

    /// What the cursor file holds; nothing when there is none.
    pub(crate) fn cursor(&self, consumer: &str) -> Option<String> {
        fs::read_to_string(self.dir.cursors().join(format!("{consumer}.cursor"))).ok()
    }
}

/// The program at work.
pub(crate) struct Waiting {
    pub(crate) child: Child,
    pub(crate) stderr: BufReader<std::process::ChildStderr>,
}

impl Waiting {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ran {
        let mut stdout = Vec::new();
        if let Some(mut pipe) = self.child.stdout.take() {
            pipe.read_to_end(&mut stdout).unwrap();
        }
        let mut stderr = Vec::new();
        self.stderr.read_to_end(&mut stderr).unwrap();
        Ran(Output { status: self.child.wait().unwrap(), stdout, stderr })
    }
}

impl Ran {
    /// Asserts the exit code, exactly.
    #[track_caller]
    pub(crate) fn exits_with(self, code: i32) -> Self {
        assert_eq!(self.0.status.code(), Some(code), "{self}");
        self
    }

    pub(crate) fn stdout(&self) -> &str {
        std::str::from_utf8(&self.0.stdout).unwrap()
    }

    pub(crate) fn stderr(&self) -> &str {
        std::str::from_utf8(&self.0.stderr).unwrap()
    }

    /// The instructions of the printed messages, each of them JSON.
    #[track_caller]
    pub(crate) fn instructions(&self) -> Vec<String> {
        let values = serde_json::Deserializer::from_str(self.stdout()).into_iter::<Value>();
        values.map(|value| instructions_of(&value.unwrap())).collect()
    }
}

/// The instructions of a printed message.
#[track_caller]
pub(crate) fn instructions_of(message: &Value) -> String {
    message["payload"]["instructions"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned()
}

/// A whole message file, as a foreign writer would write it.
pub(crate) fn message(instructions: &str) -> String {
    format!(
        r#"{{"id":"f","type":"task_revision","timestamp":"2026-01-01T00:00:00.000Z","payload":{{"instructions":"{instructions}"}}}}"#
    )
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [stdout, stderr] = [&self.0.stdout, &self.0.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        write!(f, "{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---", self.0.status)
    }
}
