//! The one way a message gets into a mailbox.
//!
//! A publisher holds the lock of the folder. It makes `.next` with a second name, `.last.new`, writes the message and
//! syncs it, renames `.next` to the message's name (which fails when that is taken), renames `.last.new` to `.last` and
//! syncs the folder. So `.last` is always a second name of the newest message: the next publisher learns from it,
//! without listing the folder, which name and which number were given out last.
//!
//! Whatever a crash leaves is decided by one look. Where `.next` is, nothing was published, and both hidden names go
//! away. Where only `.last.new` is, it was published, even if the message has been removed since, and `.last` is late.
//! All names change in the same folder in this order, so a journal cannot show a later change without the earlier ones.
//!
//! A foreign writer knows nothing of `.last`. Each publisher therefore leaves a mark of its own as the folder's time of
//! last change; any other change of the folder replaces it. A publisher that does not find the mark of the newest
//! message lists the folder for the highest name. It leaves a mark at its beginning too, and looks at it once more when
//! the message is on disk, right before it gets its name: so a foreign message that appears meanwhile is not sorted
//! behind.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, SubsecRound as _, Utc};
use rustix::fs::{Stat, Timespec};
use rustix::io::Errno;

use super::entry::Entry;
use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::{Folder, Locked};
use crate::env::Clock;
use crate::limits::{LOCK_WAIT_MAX, MESSAGE_BYTES_MAX, NAME_ATTEMPTS_MAX, SEARCH_BATCH_NAMES};
use crate::message::{Envelope, MessageError, MessageId, Payload};

const LOCK: &str = ".lock";
const NEXT: &str = ".next";
const LAST: &str = ".last";
/// What becomes `.last` when `.next` is published.
const LAST_NEW: &str = ".last.new";

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

/// The hidden file that becomes the message, and what was known when it was made.
struct Next {
    file: File,
    newest: Newest,
    /// What the folder bears as long as nobody else changes it.
    mark: Timespec,
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
        let last = self.last()?;
        let undisturbed = match &last {
            Some(last) => self.bears(mark_of(last.name.as_ref()))?,
            None => false,
        };
        let file = self.folder.create_file(NEXT.as_ref())?;
        let published = self
            .begin(file, last, undisturbed)
            .map_err(PublishError::from)
            .and_then(|next| self.publish_next(next, draft, clock));
        if published.as_ref().is_err_and(|error| !matches!(error, PublishError::Unknown(_))) {
            // Where even that fails the next publisher does it, and no reader looks there.
            let _ = self.forget_next();
        }
        published
    }

    /// Gives the hidden file its second name, leaves a mark and learns what is newest, by a listing where the last
    /// publisher's mark was gone.
    fn begin(&self, file: File, last: Option<Newest>, undisturbed: bool) -> Result<Next, StorageError> {
        match self.folder.link(NEXT.as_ref(), LAST_NEW.as_ref()) {
            // There are file systems without links. There the newest message has no second name, and is looked for.
            Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
            Err(errno) => return Err(StorageError::new("link", self.folder.path().join(LAST_NEW), errno)),
        }
        let mark = mark_of(last.as_ref().and_then(|last| last.name.as_ref()));
        self.leave(mark);
        let mut newest = match last {
            Some(last) => last,
            None => Newest { name: None, seq: self.highest_seq()? },
        };
        if !undisturbed {
            newest.name = newest.name.max(self.highest_name()?);
        }
        Ok(Next { file, newest, mark })
    }

    fn publish_next(
        &self,
        mut next: Next,
        draft: &Draft,
        clock: &impl Clock,
    ) -> Result<Published, PublishError> {
        for _ in 0..NAME_ATTEMPTS_MAX {
            let message = self.compose(&next.newest, draft, clock)?;
            let name = EntryName::at(message.timestamp.instant());
            self.write_next(&mut next.file, &message)?;
            if !self.bears(next.mark)? {
                // Left again before the listing, so that whoever comes after it is noticed too.
                self.leave(next.mark);
                next.newest.name = next.newest.name.max(self.highest_name()?);
            }
            if next.newest.name.as_ref() < Some(&name) && self.name_next(&name)? {
                self.finish(&name)?;
                return Ok(Published { path: self.folder.path().join(name.as_str()), name, message });
            }
            next.newest.name = next.newest.name.max(Some(name));
        }
        Err(PublishError::NamesTaken(self.folder.path().to_owned()))
    }

    /// Gives a draft its number and a moment whose name sorts behind every other.
    fn compose(&self, newest: &Newest, draft: &Draft, clock: &impl Clock) -> Result<Envelope, PublishError> {
        Ok(Envelope {
            id: draft.id.clone(),
            timestamp: self.next_instant(newest.name.as_ref(), clock)?.into(),
            payload: draft.payload.clone(),
            seq: Some(newest.seq + 1),
            extra: serde_json::Map::new(),
        })
    }

    /// Decides what a killed publisher left behind.
    fn clear_up(&self) -> Result<(), StorageError> {
        if let Some(next) = self.folder.stat_of(NEXT.as_ref())? {
            if !self.is_published(&next)? {
                return self.forget_next();
            }
            self.folder.remove(NEXT.as_ref())?;
        }
        match self.folder.rename(LAST_NEW.as_ref(), LAST.as_ref()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Tells whether the file under the hidden name is a message too, as only [`Publisher::name_by_link`] leaves it.
    fn is_published(&self, next: &Stat) -> Result<bool, StorageError> {
        let Some(message) = self.read_own(NEXT)? else { return Ok(false) };
        let name = EntryName::at(message.timestamp.instant());
        let named = self.folder.stat_of(name.as_str().as_ref())?;
        Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (next.st_dev, next.st_ino)))
    }

    /// Removes what was not published; `.next` last, since without it `.last.new` would say that it was.
    fn forget_next(&self) -> Result<(), StorageError> {
        self.folder.remove(LAST_NEW.as_ref())?;
        self.folder.remove(NEXT.as_ref())
    }

    /// Reads the newest message of ours: its name and its number.
    fn last(&self) -> Result<Option<Newest>, StorageError> {
        let last = self.read_own(LAST)?;
        Ok(last.and_then(|message| {
            let seq = message.seq.filter(|seq| can_be_followed(*seq))?;
            Some(Newest { name: Some(EntryName::at(message.timestamp.instant())), seq })
        }))
    }

    /// Tells whether the folder bears this mark still, so that nobody has changed it since.
    fn bears(&self, mark: Timespec) -> Result<bool, StorageError> {
        let stat = self.folder.stat()?;
        Ok((stat.st_mtime, stat.st_mtime_nsec.cast_signed()) == (mark.tv_sec, mark.tv_nsec))
    }

    /// Leaves a mark. Without it a publisher lists the folder: slower, not wrong.
    fn leave(&self, mark: Timespec) {
        let _ = self.folder.set_modified(mark);
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
        let names = self.highest_names(None)?;
        let highest = self.find_message(&names, |message| message.seq.is_some_and(can_be_followed))?;
        Ok(highest.and_then(|published| published.message.seq).unwrap_or(0))
    }

    fn find(&self, id: &MessageId) -> Result<Option<Published>, StorageError> {
        let mut names = self.highest_names(None)?;
        while let Some(lowest) = names.first() {
            if let Some(found) = self.find_message(&names, |message| message.id == *id)? {
                return Ok(Some(found));
            }
            names = self.highest_names(Some(lowest))?;
        }
        Ok(None)
    }

    /// Lists the highest [`SEARCH_BATCH_NAMES`] names below a bound.
    fn highest_names(&self, below: Option<&EntryName>) -> Result<BTreeSet<EntryName>, StorageError> {
        let mut names = BTreeSet::new();
        self.for_each_name(|name| {
            if below.is_none_or(|bound| name < *bound) {
                names.insert(name);
                if names.len() > SEARCH_BATCH_NAMES {
                    names.pop_first();
                }
            }
        })?;
        Ok(names)
    }

    /// Finds the newest of these messages that fits.
    fn find_message(
        &self,
        names: &BTreeSet<EntryName>,
        fits: impl Fn(&Envelope) -> bool,
    ) -> Result<Option<Published>, StorageError> {
        for name in names.iter().rev() {
            if let Entry::Message(message) = Entry::read(&self.folder, name)?
                && fits(&message)
            {
                let path = self.folder.path().join(name.as_str());
                return Ok(Some(Published { name: name.clone(), path, message }));
            }
        }
        Ok(None)
    }

    /// Reads one of our hidden files; one that cannot be understood is as good as none.
    fn read_own(&self, name: &str) -> Result<Option<Envelope>, StorageError> {
        let bytes = self.folder.read_small(name.as_ref(), MESSAGE_BYTES_MAX)?;
        Ok(bytes.into_bytes().and_then(|bytes| Envelope::parse(&bytes).ok()))
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

    /// Writes the message into the hidden file, in place of an earlier try, and waits until it is on disk.
    fn write_next(&self, file: &mut File, message: &Envelope) -> Result<(), PublishError> {
        let bytes = message.to_file_bytes()?;
        // The envelope is one level more than its payload, and members of a draft can be at odds with each other.
        Envelope::parse(&bytes)?;
        let emptied = file.set_len(0).and_then(|()| file.rewind());
        let written = emptied.and_then(|()| file.write_all(&bytes)).map_err(|error| ("write", error));
        // A descriptor whose sync failed has lost its error, so it is never synced a second time.
        let synced = written.and_then(|()| file.sync_all().map_err(|error| ("sync", error)));
        let failed = |(operation, error)| StorageError::new(operation, self.folder.path().join(NEXT), error);
        Ok(synced.map_err(failed)?)
    }

    /// Gives the written message its name; `false` when a foreign writer has taken it.
    fn name_next(&self, name: &EntryName) -> Result<bool, StorageError> {
        let name: &OsStr = name.as_str().as_ref();
        let named = match self.folder.rename_no_replace(NEXT.as_ref(), name) {
            Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => self.name_by_link(name),
            named => named,
        };
        match named {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(StorageError::new("publish", self.folder.path().join(name), errno)),
        }
    }

    /// Does the same on a file system whose renames cannot refuse to replace.
    fn name_by_link(&self, name: &OsStr) -> Result<(), Errno> {
        self.folder.link(NEXT.as_ref(), name)?;
        // Where it stays, the next publisher sees that it is the message.
        let _ = self.folder.remove(NEXT.as_ref());
        Ok(())
    }

    /// Makes a visible message durable and leaves what the next publisher needs.
    fn finish(&self, name: &EntryName) -> Result<(), PublishError> {
        // Where it fails the next publisher does it; on file systems without links there is nothing to rename.
        let _ = self.folder.rename(LAST_NEW.as_ref(), LAST.as_ref());
        // Before the sync, which takes long enough for a foreign writer to come.
        self.leave(mark_of(Some(name)));
        self.folder.sync().map_err(PublishError::Unknown)
    }
}

/// Whether there is a number behind this one. Ours never come that far, but a foreign file may say anything.
fn can_be_followed(seq: u64) -> bool {
    seq < u64::MAX
}

fn mark_of(newest: Option<&EntryName>) -> Timespec {
    let instant = newest.map(EntryName::instant).unwrap_or_default();
    Timespec {
        tv_sec: instant.timestamp(),
        tv_nsec: i64::from(instant.timestamp_subsec_micros()) * 1_000 + MARK_NANOSECONDS,
    }
}
