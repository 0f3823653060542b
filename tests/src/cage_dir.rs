//! A message folder of a test, read without the code under test where that would vouch for itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cage_proto::mailbox::{CageDir, EntryName, Mailbox};
use cage_proto::message::Envelope;
use tempfile::TempDir;

use crate::places::program;

/// What a publisher may leave beside the messages.
const OWN_FILES: [&str; 2] = [".last", ".lock"];

/// A message folder, removed at the end of the test.
#[derive(Debug)]
pub struct TestDir {
    /// The folder, as the programs see it.
    pub dir: CageDir,
    _temp: Option<TempDir>,
}

impl Default for TestDir {
    fn default() -> Self {
        Self::new()
    }
}

impl TestDir {
    /// Makes an empty one below the folder for temporary files.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Self {
        let temp = tempfile::tempdir().expect("a temporary folder can be made");
        Self { dir: CageDir::new(temp.path().join("cage")), _temp: Some(temp) }
    }

    /// Uses a folder that somebody else removes.
    pub fn at(folder: &Path) -> Self {
        Self { dir: CageDir::new(folder), _temp: None }
    }

    /// Returns the folder of a mailbox.
    pub fn folder(&self, mailbox: Mailbox) -> PathBuf {
        self.dir.mailbox(mailbox)
    }

    /// Returns the arguments with which a program uses this folder, and behind them the given ones.
    ///
    /// # Panics
    /// When the folder's path is no text.
    pub fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let dir = self.dir.path().to_str().expect("a temporary folder's path is text");
        [arguments, &["--dir", dir]].concat()
    }

    /// Runs one of the two programs to its end.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program(name));
        command.args(self.arguments(arguments)).stdin(Stdio::null());
        command.output().expect("the program can be run")
    }

    /// Sends a `progress_update` and returns whether it was acknowledged.
    pub fn send(&self, status: &str) -> Output {
        self.run("cage-send", &["progress_update", "--status", status])
    }

    /// Puts a file into a mailbox, as a foreign writer that is not careful.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, mailbox: Mailbox, name: &str, content: &str) {
        let folder = self.folder(mailbox);
        fs::create_dir_all(&folder).expect("the mailbox can be made");
        fs::write(folder.join(name), content).expect("a file can be written there");
    }

    /// Reads every message of the outbox, in the order of their names.
    ///
    /// # Panics
    /// When one of them is not whole: a file under a message's name is complete from the moment it exists.
    #[expect(clippy::panic, reason = "a panic is how a test fails")]
    pub fn outbox(&self) -> Vec<Envelope> {
        let folder = self.folder(Mailbox::Outbox);
        let mut names = names(&folder);
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        let read = |name: &String| {
            let bytes = fs::read(folder.join(name)).expect("a listed message can be read");
            assert!(name.parse::<EntryName>().is_ok(), "{name} is no name of a message");
            Envelope::parse(&bytes).unwrap_or_else(|error| panic!("{name} is torn: {error}: {bytes:?}"))
        };
        names.iter().map(read).collect()
    }

    /// Returns the statuses in the outbox, and asserts that its messages are whole and numbered without a gap.
    ///
    /// # Panics
    /// When they are not.
    #[track_caller]
    pub fn statuses(&self) -> Vec<String> {
        let messages = self.outbox();
        let numbers: Vec<_> = messages.iter().filter_map(|message| message.seq).collect();
        let expected: Vec<u64> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, expected, "the numbers have a gap or are out of order");
        messages.iter().map(status).collect()
    }

    /// Returns what lies in the outbox beside the messages and a publisher's own two files.
    pub fn leftovers(&self) -> Vec<String> {
        let mut names = names(&self.folder(Mailbox::Outbox));
        names.retain(|name| name.starts_with('.') && !OWN_FILES.contains(&name.as_str()));
        names
    }
}

/// Returns the status of a `progress_update`, or the type of another message.
pub fn status(message: &Envelope) -> String {
    let payload = serde_json::to_value(&message.payload).unwrap_or_default();
    payload["status"].as_str().map_or_else(|| message.payload.type_name().to_owned(), str::to_owned)
}

/// Returns the statuses of the messages that a program printed; a last one that is cut off does not count.
///
/// # Panics
/// When something else was printed.
pub fn printed(output: &Output) -> Vec<String> {
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let parse = |value: serde_json::Value| Envelope::parse(value.to_string().as_bytes());
    values.map_while(Result::ok).map(|value| status(&parse(value).expect("a message is printed"))).collect()
}

/// Returns the names in a folder, none when it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
