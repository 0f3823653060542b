//! A reader with a cursor on disk.
//!
//! A consumer takes messages in turns. During a turn it holds the lock of its cursor, so that two programs that share
//! a cursor never both get a message; it moves the cursor after it has handed a message on, so that a program that is
//! killed anywhere gets the message again.

use std::time::Duration;

use super::cursor::{Cursor, Health};
use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked};
use super::layout::{CageDir, ConsumerName, Mailbox};
use super::progress::Progress;
use super::reader::{Found, Notice, Reader};

/// A reader of a mailbox with a cursor on disk, shared by all programs that use the same consumer's name.
#[derive(Debug)]
pub struct Consumer {
    reader: Reader,
    cursor: Cursor,
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
        Ok(Self { reader, cursor: Cursor::open(dir, mailbox, name)? })
    }

    /// Begins a turn and looks into the mailbox. Waits at most `patience` while another program has its turn, and
    /// returns nothing when it still has it then.
    ///
    /// # Errors
    /// When the lock, the cursor or the mailbox cannot be read, and when the consumer reads the other mailbox. A
    /// damaged cursor is no error but a [`Notice`].
    pub fn begin(&mut self, patience: Duration) -> Result<Option<Turn<'_>>, StorageError> {
        let Some(locked) = self.cursor.lock(patience)? else { return Ok(None) };
        let (progress, health) = self.cursor.read()?;
        if health == Health::Damaged {
            self.reader.notice(Notice::DamagedCursor);
        }
        self.reader.scan(&progress)?;
        Ok(Some(Turn { consumer: self, progress, _locked: locked }))
    }

    /// Hands over what was noticed since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.reader.take_notices()
    }

    /// Gives the parts to a [`Follow`](super::Follow), which keeps its turn for as long as it lives.
    pub(crate) fn into_parts(self) -> (Reader, Cursor) {
        (self.reader, self.cursor)
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
        self.consumer.cursor.write(&self.progress)
    }

    /// Remembers that a message was handed on ahead of its turn. The cursor stays, so that messages before it are
    /// still delivered.
    ///
    /// # Errors
    /// When this could not be written; the message is then delivered again.
    pub fn consume_ahead(&mut self, name: &EntryName) -> Result<(), StorageError> {
        let (mut progress, _) = self.consumer.cursor.read()?;
        progress.consume_ahead(name);
        self.consumer.reader.done_with(name);
        self.consumer.cursor.write(&progress)
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
