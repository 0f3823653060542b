//! The one way a cursor moves.
//!
//! A consumer takes messages in turns. During a turn it holds the lock of its cursor, so that two programs that share
//! a cursor never both get a message; it moves the cursor after it has handed a message on, so that a program that is
//! killed anywhere gets the message again.

use std::io::Write as _;
use std::time::Duration;

use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked};
use super::layout::{CageDir, ConsumerName, Mailbox};
use super::progress::Progress;
use super::reader::{Found, Notice, Reader};
use crate::limits::{CONSUMED_NAMES_MAX, CURSOR_BYTES_MAX};

/// Bytes of the file beside the cursor file: each name has at most 40.
const PROGRESS_BYTES_MAX: usize = (CONSUMED_NAMES_MAX + 3) * 64;

/// Ends the name of a file that is renamed to its own name once it is written.
const NEW: &str = ".new";

/// A reader of a mailbox with a cursor on disk, shared by all programs that use the same consumer's name.
#[derive(Debug)]
pub struct Consumer {
    reader: Reader,
    cursors: Folder,
    name: ConsumerName,
}

/// The right to take messages and to move the cursor, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    consumer: &'a mut Consumer,
    progress: Progress,
    _locked: Locked,
}

impl Consumer {
    /// Opens a mailbox for a consumer. The folders are made when they are missing.
    ///
    /// # Errors
    /// When a folder can neither be opened nor made.
    pub fn open(dir: &CageDir, mailbox: Mailbox, name: ConsumerName) -> Result<Self, StorageError> {
        let reader = Reader::new(Folder::open_or_create(&dir.mailbox(mailbox))?);
        let cursors = Folder::open_or_create(&dir.cursors())?;
        Ok(Self { reader, cursors, name })
    }

    /// Begins a turn and looks into the mailbox. Waits at most `patience` while another program has its turn, and
    /// returns nothing when it still has it then.
    ///
    /// # Errors
    /// When the lock, the cursor or the mailbox cannot be read. A damaged cursor is no error but a [`Notice`].
    pub fn begin(&mut self, patience: Duration) -> Result<Option<Turn<'_>>, StorageError> {
        let Some(locked) = self.cursors.lock(self.name.lock_file().as_ref(), patience)? else {
            return Ok(None);
        };
        let progress = self.read_progress()?;
        self.reader.scan(&progress)?;
        Ok(Some(Turn { consumer: self, progress, _locked: locked }))
    }

    /// Hands over what was noticed since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.reader.take_notices()
    }

    fn read_progress(&mut self) -> Result<Progress, StorageError> {
        let remembered = self.cursors.read_small(self.name.progress_file().as_ref(), PROGRESS_BYTES_MAX)?;
        let remembered = remembered.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let cursor = match self.cursors.read_small(self.name.cursor_file().as_ref(), CURSOR_BYTES_MAX)? {
            Some(bytes) => self.parse_cursor(&bytes),
            None => None,
        };
        Ok(Progress::restore(cursor, &remembered))
    }

    fn parse_cursor(&mut self, bytes: &[u8]) -> Option<EntryName> {
        let text = String::from_utf8_lossy(bytes);
        match text.trim() {
            // The tool this protocol comes from makes an empty cursor file before the first message.
            "" => None,
            text => EntryName::from_cursor(text).map_err(|_| self.reader.notice(Notice::DamagedCursor)).ok(),
        }
    }

    /// Writes down what was consumed: first the names one by one, then the cursor, which decides.
    fn write_progress(&self, progress: &Progress) -> Result<(), StorageError> {
        self.replace(&self.name.progress_file(), progress.to_text().as_bytes())?;
        match progress.cursor() {
            Some(cursor) => self.replace(&self.name.cursor_file(), format!("{cursor}\n").as_bytes()),
            None => Ok(()),
        }
    }

    /// Replaces a file of the cursor folder by a whole new one; a reader sees the old one or the new one.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let hidden = format!(".{}{NEW}", name.trim_start_matches('.'));
        // What a killed program left behind; the lock says that nobody is at it.
        self.cursors.remove(hidden.as_ref())?;
        let mut file = self.cursors.create_file(hidden.as_ref())?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let replaced = written
            .map_err(|error| StorageError::new("write", self.cursors.path().join(name), error))
            .and_then(|()| self.cursors.rename(hidden.as_ref(), name.as_ref()));
        if replaced.is_err() {
            let _ = self.cursors.remove(hidden.as_ref());
        }
        replaced
    }
}

impl Turn<'_> {
    /// Finds the next message that is not consumed, in order.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read for a reason that is not the file's own.
    pub fn look(&mut self) -> Result<Found, StorageError> {
        loop {
            match self.consumer.reader.look()? {
                Found::Nothing if self.consumer.reader.scan(&self.progress)? => {}
                found => return Ok(found),
            }
        }
    }

    /// Moves the cursor to a message that has been handed on.
    ///
    /// # Errors
    /// When the cursor could not be written; the message is then delivered again.
    pub fn consume(&mut self, name: &EntryName) -> Result<(), StorageError> {
        self.pass(name);
        self.consumer.write_progress(&self.progress)
    }

    /// Remembers that a message was handed on ahead of its turn. The cursor stays, so that messages before it are
    /// still delivered.
    ///
    /// # Errors
    /// When this could not be written; the message is then delivered again.
    pub fn consume_ahead(&mut self, name: &EntryName) -> Result<(), StorageError> {
        self.progress.consume_ahead(name);
        self.consumer.reader.done_with(name);
        self.consumer.write_progress(&self.progress)
    }

    /// Goes on behind a message during this turn only; the cursor stays.
    pub fn pass(&mut self, name: &EntryName) {
        self.progress.consume(name);
        self.consumer.reader.done_with(name);
    }

    /// Hands over what was noticed since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.consumer.take_notices()
    }
}
