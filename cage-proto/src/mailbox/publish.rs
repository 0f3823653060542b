//! The one way a message gets into a mailbox.
//!
//! A publisher holds the lock of the folder. It writes the message to `.next`, syncs it, links it to its name (which
//! fails when the name is taken), renames `.next` to `.last` and syncs the folder. So `.last` is always a second name
//! of the newest message: the next publisher learns from it, without listing the folder, which name and which number
//! were given out last.
//!
//! Whatever a crash leaves is decided by one look. `.next` beside a message that is the same file: it was published,
//! only `.last` is late. `.next` alone: it was not, and goes away. Both names change in the same folder in this order,
//! so a journal cannot show the second without the first.
//!
//! A foreign writer knows nothing of `.last`. Each publisher therefore leaves a mark of its own, derived from the
//! newest name, as the folder's time of last change; any other change of the folder replaces it, and then the next
//! publisher lists the folder to find the highest name.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound as _, Utc};
use rustix::fs::Timespec;
use rustix::io::Errno;

use super::entry::Entry;
use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked};
use crate::env::Clock;
use crate::limits::{LOCK_WAIT_MAX, MESSAGE_BYTES_MAX, NAME_ATTEMPTS_MAX};
use crate::message::{Envelope, MessageError, MessageId, Payload};

const LOCK: &str = ".lock";
const NEXT: &str = ".next";
const LAST: &str = ".last";

/// Added to the whole microseconds of the newest name to make the mark, so that no clock shows it by chance at a full
/// microsecond.
const MARK_NANOSECONDS: i64 = 137;

/// A message that has neither a name nor a number yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its id.
    pub id: MessageId,
    /// Whether a message with this id may be there already, from an earlier try, and then counts as this one. Finding
    /// that out reads every message of the mailbox.
    pub may_be_a_repeat: bool,
    /// What it says.
    pub payload: Payload,
}

/// A message that is stored and survives a loss of power.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Its name in the mailbox.
    pub name: EntryName,
    /// The file it is in.
    pub path: PathBuf,
    /// The message as it was written.
    pub message: Envelope,
}

/// Says whether a message that could not be sent may be there all the same.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// No reader would accept the message. Nothing was written.
    #[error("the message cannot be sent")]
    Rejected(#[from] MessageError),
    /// The message is certainly not in the mailbox.
    #[error("the message was not stored")]
    NotStored(#[from] StorageError),
    /// The message is visible, but may be gone after a loss of power. Repeating it with the same id is safe.
    #[error("the message was written, but it is not certain that it survives a loss of power")]
    Unknown(#[source] StorageError),
    /// Another program holds the mailbox's lock and does not go on.
    #[error("the message was not stored: the lock {} has been held for {} s by another program", .0.display(), LOCK_WAIT_MAX.as_secs())]
    Locked(PathBuf),
    /// The mailbox holds a name at the end of time, behind which no other sorts.
    #[error("the message was not stored: no name sorts behind {}; move that file away", .0.display())]
    NoNameLeft(PathBuf),
    /// Foreign writers took every name that was tried.
    #[error("the message was not stored: other programs took {NAME_ATTEMPTS_MAX} names in a row in {}", .0.display())]
    NamesTaken(PathBuf),
}

/// Publishes a message in a mailbox's folder, which is made when it is missing.
///
/// When this returns, the message is whole, under a name above every earlier one, numbered without a gap, and survives
/// SIGKILL and a loss of power. A publisher that is killed at any point leaves either nothing that a reader sees, or
/// the whole message; the next publisher clears up behind it.
///
/// # Errors
/// Every [`PublishError`]; only [`PublishError::Unknown`] leaves a message behind.
pub fn publish(folder: &Path, draft: &Draft, clock: &impl Clock) -> Result<Published, PublishError> {
    let folder = Folder::open_or_create(folder)?;
    let locked = folder.lock(LOCK.as_ref(), LOCK_WAIT_MAX)?;
    let locked = locked.ok_or_else(|| PublishError::Locked(folder.path().join(LOCK)))?;
    Publisher { folder, _locked: locked }.publish(draft, clock)
}

/// An open mailbox whose lock is held.
struct Publisher {
    folder: Folder,
    _locked: Locked,
}

/// The newest message, as far as names and numbers go.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest {
    name: Option<EntryName>,
    seq: u64,
}

impl Publisher {
    fn publish(&self, draft: &Draft, clock: &impl Clock) -> Result<Published, PublishError> {
        self.clear_up()?;
        if draft.may_be_a_repeat
            && let Some(published) = self.find(&draft.id)?
        {
            // The earlier try may have failed at just this sync.
            self.folder.sync().map_err(PublishError::Unknown)?;
            return Ok(published);
        }
        let mut newest = self.newest()?;
        for _ in 0..NAME_ATTEMPTS_MAX {
            let instant = self.next_instant(newest.name.as_ref(), clock)?;
            let message = Envelope {
                id: draft.id.clone(),
                timestamp: instant.into(),
                payload: draft.payload.clone(),
                seq: Some(newest.seq + 1),
                extra: serde_json::Map::new(),
            };
            let name = EntryName::at(instant);
            self.write_next(&message.to_file_bytes()?)?;
            if self.link_next(&name)? {
                self.finish(&name)?;
                return Ok(Published { path: self.folder.path().join(name.as_str()), name, message });
            }
            newest.name = Some(name).max(self.highest_name()?);
        }
        Err(PublishError::NamesTaken(self.folder.path().to_owned()))
    }

    /// Decides what a killed publisher left behind.
    fn clear_up(&self) -> Result<(), StorageError> {
        let Some(next) = self.folder.stat_of(NEXT.as_ref())? else { return Ok(()) };
        let name = self.read_own(NEXT)?.map(|message| EntryName::at(message.timestamp.instant()));
        let published = match &name {
            Some(name) => self.folder.stat_of(name.as_str().as_ref())?,
            None => None,
        };
        if published.is_some_and(|stat| (stat.st_dev, stat.st_ino) == (next.st_dev, next.st_ino)) {
            self.folder.rename(NEXT.as_ref(), LAST.as_ref())
        } else {
            self.folder.remove(NEXT.as_ref())
        }
    }

    /// Finds the newest name and number, from `.last` alone when nobody else has touched the folder.
    fn newest(&self) -> Result<Newest, StorageError> {
        let last = self.read_own(LAST)?;
        let last = last.and_then(|message| Some((EntryName::at(message.timestamp.instant()), message.seq?)));
        match last {
            Some((name, seq)) if self.bears_mark_of(&name)? => Ok(Newest { name: Some(name), seq }),
            Some((name, seq)) => Ok(Newest { name: self.highest_name()?.max(Some(name)), seq }),
            None => Ok(Newest { name: self.highest_name()?, seq: self.highest_seq()? }),
        }
    }

    fn bears_mark_of(&self, name: &EntryName) -> Result<bool, StorageError> {
        let stat = self.folder.stat()?;
        let mark = mark_of(name);
        Ok((stat.st_mtime, stat.st_mtime_nsec.cast_signed()) == (mark.tv_sec, mark.tv_nsec))
    }

    fn highest_name(&self) -> Result<Option<EntryName>, StorageError> {
        let mut highest = None;
        self.for_each_name(|name| highest = highest.take().max(Some(name)))?;
        Ok(highest)
    }

    fn for_each_name(&self, mut see: impl FnMut(EntryName)) -> Result<(), StorageError> {
        self.folder.list(|name| {
            if let Some(name) = name.to_str().and_then(|text| text.parse().ok()) {
                see(name);
            }
        })
    }

    /// Finds the highest number in a mailbox that has no `.last`: a new one, or one on a file system without links.
    fn highest_seq(&self) -> Result<u64, StorageError> {
        let highest = self.find_message(|message| message.seq.is_some())?;
        Ok(highest.and_then(|published| published.message.seq).unwrap_or(0))
    }

    fn find(&self, id: &MessageId) -> Result<Option<Published>, StorageError> {
        self.find_message(|message| message.id == *id)
    }

    /// Finds the newest message that fits.
    fn find_message(&self, fits: impl Fn(&Envelope) -> bool) -> Result<Option<Published>, StorageError> {
        let mut names = Vec::new();
        self.for_each_name(|name| names.push(name))?;
        names.sort_unstable();
        for name in names.into_iter().rev() {
            if let Entry::Message(message) = Entry::read(&self.folder, &name)?
                && fits(&message)
            {
                return Ok(Some(Published { path: self.folder.path().join(name.as_str()), name, message }));
            }
        }
        Ok(None)
    }

    /// Reads one of our hidden files; one that cannot be understood is as good as none.
    fn read_own(&self, name: &str) -> Result<Option<Envelope>, StorageError> {
        let bytes = self.folder.read_small(name.as_ref(), MESSAGE_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| Envelope::parse(&bytes).ok()))
    }

    fn next_instant(
        &self,
        newest: Option<&EntryName>,
        clock: &impl Clock,
    ) -> Result<DateTime<Utc>, PublishError> {
        let now = clock.now().trunc_subsecs(6);
        match newest {
            Some(name) if EntryName::at(now) <= *name => name
                .next_instant()
                .ok_or_else(|| PublishError::NoNameLeft(self.folder.path().join(name.as_str()))),
            _ => Ok(now),
        }
    }

    /// Writes the message under its hidden name and waits until it is on disk.
    fn write_next(&self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut file = self.folder.create_file(NEXT.as_ref())?;
        let written = file.write_all(bytes).map_err(|error| ("write", error));
        // A descriptor whose sync failed has lost its error, so it is never synced a second time.
        let synced = written.and_then(|()| file.sync_all().map_err(|error| ("sync", error)));
        synced.map_err(|(operation, error)| {
            self.forget_next();
            StorageError::new(operation, self.folder.path().join(NEXT), error)
        })
    }

    /// Gives the written message its name; `false` when a foreign writer has taken it.
    fn link_next(&self, name: &EntryName) -> Result<bool, StorageError> {
        let name: &OsStr = name.as_str().as_ref();
        let linked = match self.folder.link(NEXT.as_ref(), name) {
            // There are file systems without links. There the newest message has no second name, and is looked for.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
                self.folder.rename_no_replace(NEXT.as_ref(), name)
            }
            linked => linked,
        };
        match linked {
            Ok(()) => Ok(true),
            Err(errno) => {
                self.forget_next();
                if errno == Errno::EXIST {
                    return Ok(false);
                }
                Err(StorageError::new("publish", self.folder.path().join(name), errno))
            }
        }
    }

    /// Removes what was written in vain. Where even that fails the next publisher does it, and no reader looks there.
    fn forget_next(&self) {
        let _ = self.folder.remove(NEXT.as_ref());
    }

    /// Makes a visible message durable and leaves what the next publisher needs.
    fn finish(&self, name: &EntryName) -> Result<(), PublishError> {
        // Without `.last` the next publisher finds `.next` and finishes this; on file systems without links it is gone.
        let _ = self.folder.rename(NEXT.as_ref(), LAST.as_ref());
        self.folder.sync().map_err(PublishError::Unknown)?;
        // Without the mark the next publisher lists the folder: slower, not wrong.
        let _ = self.folder.set_modified(mark_of(name));
        Ok(())
    }
}

fn mark_of(newest: &EntryName) -> Timespec {
    let instant = newest.instant();
    Timespec {
        tv_sec: instant.timestamp(),
        tv_nsec: i64::from(instant.timestamp_subsec_micros()) * 1_000 + MARK_NANOSECONDS,
    }
}
