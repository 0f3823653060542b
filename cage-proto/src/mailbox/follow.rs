//! Every message from a name or a cursor on, for as long as someone listens.
//!
//! After a double scan, events bring the names: the kernel queues them in the order in which they became visible, so
//! they need no listing, and following costs the same however many files are kept.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::consumer::Consumer;
use super::cursor::{Cursor, Health};
use super::entry::Fault;
use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked};
use super::progress::Progress;
use super::reader::{Found, Notice, Reader};
use super::watch::{Wake, Watch, leads_nowhere};
use crate::message::Envelope;
use crate::schedule::Schedule;

/// Follows a mailbox from a name on.
#[derive(Debug)]
pub struct Follow {
    watch: Watch,
    reader: Reader,
    progress: Progress,
    /// The cursor to move, with the right to do so; nothing for a reader that keeps its place itself.
    cursor: Option<(Cursor, Locked)>,
    schedule: Schedule,
    /// Whether the last double scan held all there was, so that from then on events tell everything.
    caught_up: bool,
    notices: VecDeque<Notice>,
    quiet_since: Instant,
    last_scan: Instant,
}

/// What following brings.
#[derive(Debug)]
pub enum Item {
    /// A message.
    Message(EntryName, Envelope),
    /// A file under a message's name that is none. It stays where it is.
    Malformed(EntryName, Fault),
    /// Something about the folder that should not stay unknown.
    Notice(Notice),
    /// Nothing came in time.
    Quiet,
    /// Nobody reads the output any more.
    Closed,
}

impl Follow {
    /// Follows a mailbox's folder, which is made when it is missing, from behind `since` or from its beginning.
    ///
    /// # Errors
    /// When the folder can neither be opened nor made.
    pub fn open(folder: &Path, since: Option<EntryName>, schedule: Schedule) -> Result<Self, StorageError> {
        let reader = Reader::new(Folder::open_or_create(folder)?);
        Ok(Self::new(reader, Progress::after(since), None, schedule))
    }

    /// Follows a mailbox from a consumer's cursor on, and keeps the right to move it. Returns nothing when another
    /// program still has that right after `patience`.
    ///
    /// # Errors
    /// When the lock or the cursor cannot be read. A damaged cursor is no error but a [`Notice`].
    pub fn from_cursor(
        consumer: Consumer,
        patience: Duration,
        schedule: Schedule,
    ) -> Result<Option<Self>, StorageError> {
        let (mut reader, cursor) = consumer.into_parts();
        let Some(locked) = cursor.lock(patience)? else { return Ok(None) };
        let (progress, health) = cursor.read()?;
        if health == Health::Damaged {
            reader.notice(Notice::DamagedCursor);
        }
        Ok(Some(Self::new(reader, progress, Some((cursor, locked)), schedule)))
    }

    fn new(reader: Reader, progress: Progress, cursor: Option<(Cursor, Locked)>, schedule: Schedule) -> Self {
        let now = Instant::now();
        Self {
            watch: Watch::new(reader.path()),
            reader,
            progress,
            cursor,
            schedule,
            caught_up: false,
            notices: VecDeque::new(),
            quiet_since: now,
            last_scan: now,
        }
    }

    /// Goes on behind a message or a malformed file that has been handed on. Until then it is found again.
    ///
    /// # Errors
    /// When the cursor could not be written; the message is then delivered again by the next reader.
    pub fn consume(&mut self, name: &EntryName) -> Result<(), StorageError> {
        self.progress.consume(name);
        self.reader.done_with(name);
        self.cursor.as_ref().map_or(Ok(()), |(cursor, _)| cursor.write(&self.progress))
    }

    /// Waits for the next item that is not consumed, at most `timeout`. `output` is watched for the loss of its reader
    /// meanwhile.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read for a reason that is not the file's own.
    pub fn next(&mut self, timeout: Duration, output: Option<BorrowedFd<'_>>) -> Result<Item, StorageError> {
        if output.is_some_and(leads_nowhere) {
            return Ok(Item::Closed);
        }
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(item) = self.take_pending()? {
                return Ok(item);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.wait(left, output)? {
                Some(item) => return Ok(item),
                None if deadline <= Instant::now() => return Ok(Item::Quiet),
                None => {}
            }
        }
    }

    /// Takes what is there without waiting.
    fn take_pending(&mut self) -> Result<Option<Item>, StorageError> {
        loop {
            self.notices.extend(self.reader.take_notices());
            if let Some(notice) = self.notices.pop_front() {
                return Ok(Some(Item::Notice(notice)));
            }
            let item = match self.reader.look()? {
                Found::Message(name, message) => Item::Message(name, message),
                Found::Malformed(name, fault) => Item::Malformed(name, fault),
                Found::Nothing if !self.caught_up => {
                    self.reader.scan(&self.progress)?;
                    // Whatever became visible after the scan began has its event waiting, so it need not find nothing.
                    // Otherwise a reader would list a crowded folder again and again as long as messages keep coming.
                    self.caught_up = self.reader.has_room();
                    self.last_scan = Instant::now();
                    continue;
                }
                Found::Unfinished(..) | Found::Nothing => return Ok(None),
            };
            self.quiet_since = Instant::now();
            return Ok(Some(item));
        }
    }

    /// Takes the names of events. Those for which there is no room are found by a scan, once the others are delivered.
    fn offer(&mut self, names: &[OsString]) {
        self.caught_up = names.iter().all(|name| self.reader.offer(name, &self.progress));
    }

    /// Waits for events, for the next look by the schedule, or for an unfinished file to be given up.
    fn wait(&mut self, left: Duration, output: Option<BorrowedFd<'_>>) -> Result<Option<Item>, StorageError> {
        let next_look = match self.reader.look()? {
            Found::Unfinished(_, patience) => patience,
            _ => {
                self.schedule.delay_after(self.quiet_since.elapsed()).saturating_sub(self.last_scan.elapsed())
            }
        };
        match self.watch.wait(left.min(next_look), output) {
            Wake::Closed => return Ok(Some(Item::Closed)),
            Wake::Names(names) if self.caught_up => self.offer(&names),
            Wake::Names(_) | Wake::Anything => self.caught_up = false,
            Wake::TimedOut if next_look <= left => self.caught_up = false,
            Wake::TimedOut => {}
        }
        Ok(None)
    }
}
