//! What is in a cage that does not run, read without running anything in it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Read;
use std::path::Path;

use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::mailbox::{CageDir, EntryName, Mailbox};
use cage_proto::message::Envelope;

use super::handle::Cage;
use super::lifecycle::CageState;
use super::place::Place;
use crate::error::{CageError, RequestError, Result};
use crate::mailbox::Content;
use crate::sanitize::{sanitize, sanitize_path};
use crate::transfer::{self, ArchiveEntry, Changes, DiffOptions, SafePath, read_folder, read_small};

const READ: &str = "read the messages";

/// The message folder in a cage's home.
const CAGE_DIR: &str = ".cage";

/// Bytes kept of the end of the stream log.
const LOG_TAIL_BYTES: usize = 64 * 1024;

/// Most bytes of messages that are taken out of a cage: they are kept in memory.
const MAX_MESSAGES_BYTES: usize = 256 * 1024 * 1024;

/// Most bytes of the message folder that are read; beyond them lies a log that nobody can want.
const MAX_FOLDER_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// What was in a cage that does not run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Salvage {
    /// What the cage's container did meanwhile.
    pub state: CageState,
    /// What differs from the folder of the host; export it with [`Cage::export`].
    pub changes: Changes,
    /// What the agent sent, in order, whether it was read before or not.
    pub outbox: Vec<SalvagedMessage>,
    /// What was sent to the agent, in order, whether it was read or not.
    pub inbox: Vec<SalvagedMessage>,
    /// The last 64 KiB of the agent's stream log from the beginning of a line, safe to show; empty without a log.
    pub log_tail: String,
}

/// A file of a mailbox.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SalvagedMessage {
    /// The name of the file, safe to show.
    pub name: String,
    /// What is in it: a message, or why it is none.
    pub content: Content,
}

impl Cage {
    /// Reads what an agent left in a cage that is stopped, paused or crashed, without running anything in it: the
    /// project compared with a folder of the host, as [`Cage::diff`] does it, all messages, and the end of the log.
    ///
    /// The cage stays as it is. Its whole project goes over the wire once or twice, so this costs a few seconds for
    /// 20,000 files, where a diff of a running cage costs a fraction of one.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// let salvage = cage.salvage(".").await?;
    /// println!("{} messages, and these changes:\n{}", salvage.outbox.len(), salvage.changes);
    /// cage.export(".", &salvage.changes).await?;
    /// cage.destroy().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::StillRunning`] when the cage runs: its files would change while they are read.
    /// - [`RequestError::Project`] when the folder cannot be read, [`IoError`](crate::IoError) when something in it
    ///   cannot, or the disk for temporary files is full.
    /// - [`CageError`] when the cage was removed or holds more than the limits allow.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn salvage(&self, dir: impl AsRef<Path>) -> Result<Salvage> {
        let state = self.place.state().await?;
        if state == CageState::Running {
            return Err(RequestError::StillRunning { name: self.name().to_string() }.into());
        }
        let place = self.place.clone().read_still().await?;
        let memory = self.memory();
        let diff = transfer::diff(&place, dir.as_ref(), DiffOptions::default(), &memory);
        let changes = Box::pin(diff).await?;
        let found = Found::read(&place).await?;
        let log_tail = found.log_tail();
        let [inbox, outbox] = found.mailboxes.map(messages);
        Ok(Salvage { state, changes, outbox, inbox, log_tail })
    }
}

/// What the message folder held.
#[derive(Debug, Default)]
struct Found {
    /// The files of the inbox and of the outbox, by name.
    mailboxes: [BTreeMap<String, Content>; 2],
    /// The contents of hidden files: the newest message has a second, hidden name, and an archive has its content only
    /// at the first of the two.
    hidden: HashMap<SafePath, Vec<u8>>,
    log: VecDeque<u8>,
    log_is_cut: bool,
    messages_bytes: usize,
    folder_bytes: u64,
}

impl Found {
    async fn read(place: &Place) -> Result<Self> {
        let found = read_folder(place, CAGE_DIR, Self::default(), Self::take).await?;
        Ok(found.map(|(found, _)| found).unwrap_or_default())
    }

    fn take(&mut self, path: SafePath, entry: &mut ArchiveEntry<'_>) -> Result<()> {
        self.folder_bytes += entry.size();
        if self.folder_bytes > MAX_FOLDER_BYTES {
            let limit = MAX_FOLDER_BYTES;
            return Err(CageError::TooMuch { operation: READ, limit, unit: "bytes" }.into());
        }
        let log = CageDir::new("").stream_log();
        if path.as_path() == log && entry.header().entry_type().is_file() {
            return self.take_log(entry);
        }
        let (folder, name) = path.split();
        let mailbox = Mailbox::ALL.iter().position(|mailbox| folder == Path::new(mailbox.name()));
        let Some(mailbox) = mailbox else { return Ok(()) };
        let hidden = name.as_encoded_bytes().starts_with(b".");
        let content = match self.content(entry)? {
            Ok(bytes) if hidden => {
                return self.keep(bytes.len()).map(|()| drop(self.hidden.insert(path, bytes)));
            }
            Ok(bytes) => self.keep(bytes.len()).map(|()| parse(name.to_str(), &bytes))?,
            Err(instead) => instead,
        };
        if !hidden && name.as_encoded_bytes().ends_with(b".json") {
            self.mailboxes[mailbox].insert(sanitize_path(Path::new(name)), content);
        }
        Ok(())
    }

    /// Returns the content of a file, or what it is instead of a message.
    fn content(&self, entry: &mut ArchiveEntry<'_>) -> Result<Result<Vec<u8>, Content>> {
        let kind = entry.header().entry_type();
        if kind.is_hard_link() {
            let target = entry.link_name_bytes();
            let target = target.as_deref().and_then(|name| name.strip_prefix(b".cage/"));
            let bytes = target.and_then(|name| self.hidden.get(&SafePath::new(name).ok()?));
            return Ok(bytes.cloned().ok_or_else(|| malformed("a second name of another file")));
        }
        if !kind.is_file() {
            return Ok(Err(malformed("not a regular file")));
        }
        let bytes = read_small(entry, MESSAGE_BYTES_MAX)?;
        Ok(bytes.ok_or(Content::Oversize))
    }

    fn keep(&mut self, bytes: usize) -> Result<()> {
        self.messages_bytes += bytes;
        if self.messages_bytes > MAX_MESSAGES_BYTES {
            let limit = MAX_MESSAGES_BYTES as u64;
            return Err(CageError::TooMuch { operation: READ, limit, unit: "bytes" }.into());
        }
        Ok(())
    }

    fn take_log(&mut self, entry: &mut ArchiveEntry<'_>) -> Result<()> {
        let mut buffer = vec![0; LOG_TAIL_BYTES];
        loop {
            let broken = |error: std::io::Error| CageError::Malformed {
                operation: READ,
                reason: sanitize(&error.to_string()),
            };
            let read = entry.read(&mut buffer).map_err(broken)?;
            if read == 0 {
                return Ok(());
            }
            self.log.extend(&buffer[..read]);
            let excess = self.log.len().saturating_sub(LOG_TAIL_BYTES);
            self.log_is_cut |= excess > 0;
            self.log.drain(..excess);
        }
    }

    fn log_tail(&self) -> String {
        let bytes: Vec<u8> = self.log.iter().copied().collect();
        let start = if self.log_is_cut {
            bytes.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1)
        } else {
            0
        };
        sanitize(&String::from_utf8_lossy(&bytes[start..]))
    }
}

fn parse(name: Option<&str>, bytes: &[u8]) -> Content {
    let named = name.is_some_and(|name| name.parse::<EntryName>().is_ok());
    match Envelope::parse(bytes) {
        _ if !named => malformed("the name is no time stamp"),
        Ok(message) => Content::Message(Box::new(message)),
        Err(error) => malformed(&sanitize(&error.to_string())),
    }
}

fn malformed(why: &str) -> Content {
    Content::Malformed(why.to_owned())
}

fn messages(files: BTreeMap<String, Content>) -> Vec<SalvagedMessage> {
    files.into_iter().map(|(name, content)| SalvagedMessage { name, content }).collect()
}
