//! One file of a mailbox: the message in it, or the reason why there is none.

use std::fs::File;
use std::io;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;

use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, read_up_to};
use crate::limits::MESSAGE_BYTES_MAX;
use crate::message::{Envelope, MessageError};

/// What stands under the name of a message.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A message.
    Message(Envelope),
    /// The beginning of one, with what tells whether the file still changes.
    Unfinished(Version),
    /// Something that never becomes a message.
    Malformed(Fault),
    /// Nothing any more.
    Gone,
}

/// Tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version {
    size: i64,
    modified: (i64, i64),
    /// When anything about the file changed; unlike the above this cannot be set.
    changed: (i64, i64),
}

/// Says why a file is no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Its content is wrong.
    #[error(transparent)]
    Content(#[from] MessageError),
    /// It is no regular file, and was not opened.
    #[error("{0}, not a file")]
    NotAFile(&'static str),
    /// It may not be read.
    #[error("permission denied")]
    NotReadable,
    /// Its name ends in `.json` but is no time stamp.
    #[error("the name is no time stamp")]
    NotATimestamp,
}

impl Entry {
    /// Reads the file of that name: at most one message's bytes, in one go, never following a link, never waiting.
    pub(crate) fn read(folder: &Folder, name: &EntryName) -> Result<Self, StorageError> {
        let file_name = name.as_str().as_ref();
        let Some(stat) = folder.stat_of(file_name)? else { return Ok(Self::Gone) };
        if let Some(what) = not_a_file(&stat) {
            return Ok(Self::Malformed(Fault::NotAFile(what)));
        }
        let failed = |error: io::Error| StorageError::new("read", folder.path().join(name.as_str()), error);
        match folder.open_file(file_name) {
            Ok(file) => Self::read_file(&file, &stat).map_err(failed),
            Err(Errno::NOENT) => Ok(Self::Gone),
            Err(Errno::LOOP) => Ok(Self::Malformed(Fault::NotAFile("a link"))),
            Err(Errno::ACCESS | Errno::PERM) => Ok(Self::Malformed(Fault::NotReadable)),
            Err(errno) => Err(failed(errno.into())),
        }
    }

    fn read_file(file: &File, seen: &Stat) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
            // Someone put another file there between the two looks; the next look sees one of them whole.
            return Ok(Self::Unfinished(Version::of(&stat)));
        }
        if stat.st_size > i64::try_from(MESSAGE_BYTES_MAX).unwrap_or(i64::MAX) {
            return Ok(Self::Malformed(MessageError::TooLarge.into()));
        }
        let bytes = read_up_to(file, MESSAGE_BYTES_MAX)?;
        Ok(match Envelope::parse(&bytes) {
            Ok(message) => Self::Message(message),
            Err(MessageError::Incomplete) => Self::Unfinished(Version::of(&stat)),
            Err(error) => Self::Malformed(error.into()),
        })
    }
}

impl Version {
    fn of(stat: &Stat) -> Self {
        Self {
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed: (stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
        }
    }

    /// Returns how long ago the file changed, by the system's clock; nothing when that lies in the future.
    pub(crate) fn age(&self, now: DateTime<Utc>) -> Duration {
        let (seconds, nanoseconds) = self.changed;
        let changed = DateTime::from_timestamp(seconds, u32::try_from(nanoseconds).unwrap_or(0));
        changed.and_then(|changed| (now - changed).to_std().ok()).unwrap_or_default()
    }
}

fn not_a_file(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Directory => Some("a folder"),
        FileType::Symlink => Some("a link"),
        FileType::Fifo => Some("a FIFO"),
        FileType::Socket => Some("a socket"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        FileType::Unknown => Some("of an unknown type"),
    }
}
