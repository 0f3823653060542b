//! A message folder of its own for each test, and the program run in it.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use cage_proto::mailbox::{CageDir, EntryName, Mailbox};
use cage_proto::message::Envelope;
use tempfile::TempDir;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_cage-send");

pub(crate) struct Cage {
    pub(crate) temp: TempDir,
    pub(crate) dir: CageDir,
}

/// What a run of the program left to see.
pub(crate) struct Ran(Output);

impl Cage {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { dir: CageDir::new(temp.path().join("cage")), temp }
    }

    /// The program with this folder as its message folder, in a folder where files can be put.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(args).env("CAGE_DIR", self.dir.path()).current_dir(self.temp.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn send<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        Ran(self.command(args).output().unwrap())
    }

    pub(crate) fn send_with_stdin<S: AsRef<OsStr>>(&self, args: &[S], stdin: &[u8]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().unwrap();
        // A program that does not read all of it may have its reasons.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        finish(child)
    }

    /// Puts a file into the folder in which the program runs.
    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.temp.path().join(name), content).unwrap();
    }

    pub(crate) fn messages(&self, mailbox: Mailbox) -> Vec<Envelope> {
        message_files(&self.dir.mailbox(mailbox)).iter().map(|file| read(file)).collect()
    }
}

/// The message files of a mailbox, in order; none when there is no such folder.
pub(crate) fn message_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<EntryName>().ok())
        .collect();
    names.sort();
    names.iter().map(|name| folder.join(name.as_str())).collect()
}

pub(crate) fn read(file: &Path) -> Envelope {
    Envelope::parse(&fs::read(file).unwrap()).unwrap()
}

pub(crate) fn finish(child: Child) -> Ran {
    Ran(child.wait_with_output().unwrap())
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
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [stdout, stderr] = [&self.0.stdout, &self.0.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        write!(f, "{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---", self.0.status)
    }
}
