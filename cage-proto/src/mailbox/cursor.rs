//! The files of a cursor: the cursor itself, what is remembered beside it, and the lock that gives the right to move
//! it.

use std::io::{self, Write as _};
use std::time::Duration;

use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked, Small};
use super::layout::{CageDir, ConsumerName, Mailbox};
use super::progress::Progress;
use crate::limits::{CONSUMED_NAMES_MAX, CURSOR_BYTES_MAX};

/// Bytes of the file beside the cursor file: each name has at most 40.
const PROGRESS_BYTES_MAX: usize = (CONSUMED_NAMES_MAX + 3) * 64;

/// Bytes of a lock file that are read: a mailbox's name and a line break, or something else.
const OWNER_BYTES_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Cursor {
    folder: Folder,
    mailbox: Mailbox,
    name: ConsumerName,
}

/// What the cursor file held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Sound,
    /// Something that is no name; it counts as no cursor at all.
    Damaged,
}

/// Reads the mailbox's name out of a lock file, where programs of other origin write nothing.
fn owner(content: &[u8]) -> Option<Mailbox> {
    std::str::from_utf8(content).ok()?.trim_end().parse().ok()
}

impl Cursor {
    /// Opens the folder of the cursors, which is made when it is missing.
    pub(crate) fn open(dir: &CageDir, mailbox: Mailbox, name: ConsumerName) -> Result<Self, StorageError> {
        Ok(Self { folder: Folder::open_or_create(&dir.cursors())?, mailbox, name })
    }

    /// Takes the right to move the cursor, or nothing when another program still has it after `patience`.
    pub(crate) fn lock(&self, patience: Duration) -> Result<Option<Locked>, StorageError> {
        let lock_file = self.name.lock_file();
        let Some(locked) = self.folder.lock(lock_file.as_ref(), patience)? else { return Ok(None) };
        self.claim(&locked).map_err(|error| {
            StorageError::new("use the cursor of", self.folder.path().join(lock_file), error)
        })?;
        Ok(Some(locked))
    }

    /// Sees that the cursor is one of this mailbox, and says so in the lock file for whoever comes later: among the
    /// names of one mailbox the cursor of the other would hide messages.
    fn claim(&self, locked: &Locked) -> io::Result<()> {
        let owner = match self.name.usual_mailbox() {
            Some(mailbox) => Some(mailbox),
            None => owner(&locked.content(OWNER_BYTES_MAX)?),
        };
        match owner {
            Some(owner) if owner == self.mailbox => Ok(()),
            Some(owner) => {
                let reason = format!("the consumer `{}` reads the {owner}; take another name", self.name);
                Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
            }
            None => {
                // Without the right or the room to write it down, the cursor is as good as before.
                let _ = locked.write(format!("{}\n", self.mailbox).as_bytes());
                Ok(())
            }
        }
    }

    pub(crate) fn read(&self) -> Result<(Progress, Health), StorageError> {
        let remembered = self.folder.read_small(self.name.progress_file().as_ref(), PROGRESS_BYTES_MAX)?;
        let remembered =
            remembered.into_bytes().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        let text = match self.folder.read_small(self.name.cursor_file().as_ref(), CURSOR_BYTES_MAX)? {
            Small::Missing => String::new(),
            Small::Read(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Small::Strange => return Ok((Progress::restore(None, &remembered), Health::Damaged)),
        };
        let (cursor, health) = match text.trim() {
            // The tool this protocol comes from makes an empty cursor file before the first message.
            "" => (None, Health::Sound),
            text => match EntryName::from_cursor(text) {
                Ok(name) => (Some(name), Health::Sound),
                Err(_) => (None, Health::Damaged),
            },
        };
        Ok((Progress::restore(cursor, &remembered), health))
    }

    /// Writes down what was consumed: first the names one by one, then the cursor, which decides.
    pub(crate) fn write(&self, progress: &Progress) -> Result<(), StorageError> {
        self.replace(&self.name.progress_file(), progress.to_text().as_bytes())?;
        match progress.cursor() {
            Some(cursor) => self.replace(&self.name.cursor_file(), format!("{cursor}\n").as_bytes()),
            None => Ok(()),
        }
    }

    /// Replaces a file by a whole new one; a reader sees the old one or the new one.
    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), StorageError> {
        let hidden = format!(".{}.new", name.trim_start_matches('.'));
        // What a killed program left behind; the lock says that nobody is at it.
        self.folder.remove(hidden.as_ref())?;
        let mut file = self.folder.create_file(hidden.as_ref())?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        let replaced = written
            .map_err(|error| StorageError::new("write", self.folder.path().join(name), error))
            .and_then(|()| self.folder.rename(hidden.as_ref(), name.as_ref()));
        if replaced.is_err() {
            // The next write removes it too, and until then no reader looks there.
            let _ = self.folder.remove(hidden.as_ref());
        }
        replaced
    }
}
