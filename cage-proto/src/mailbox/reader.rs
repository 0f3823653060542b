//! Double scans of a folder and the files behind them, in order. What counts as consumed is the caller's to say.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::entry::{Entry, Fault, Version};
use super::entry_name::EntryName;
use super::error::StorageError;
use super::folder::Folder;
use super::progress::Progress;
use super::scan::{Scan, Strays};
use crate::limits::{
    CROWDED_FOLDER_ENTRIES, PARTIAL_FILE_GRACE, PARTIAL_FILE_MAX, SCAN_BATCH_NAMES, STRAY_NAMES_KEPT,
};
use crate::message::{Envelope, MessageError};

/// What a look into a mailbox found next.
#[derive(Debug)]
pub enum Found {
    /// A message. It is found again until it is consumed.
    Message(EntryName, Envelope),
    /// A file that never becomes a message. It stays where it is and is found again until it is consumed.
    Malformed(EntryName, Fault),
    /// A file that somebody seems to be writing still. Messages behind it wait, at most for this long.
    Unfinished(EntryName, Duration),
    /// Nothing that is not consumed.
    Nothing,
}

/// Something about the folder that is no message and stops none, but should not stay unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Notice {
    /// A file whose name ends in `.json` but is no time stamp.
    #[error("a file is no message: {}", Fault::NotATimestamp)]
    Stray(OsString),
    /// There are more of them than were named.
    #[error("{0} more files have names that are no time stamps")]
    MoreStrays(usize),
    /// The folder holds so many files that listing it is slow.
    #[error("{0} files in the mailbox; remove consumed ones to keep it fast")]
    Crowded(usize),
    /// A file that ends in the middle of its JSON is given time, and the messages behind it wait.
    #[error("{0} is not finished yet; messages behind it wait until it is, or until nobody goes on with it")]
    HeldUp(EntryName),
    /// The cursor file could not be understood, so everything is delivered again.
    #[error("the cursor file is damaged, so messages are delivered again from the first one on")]
    DamagedCursor,
}

/// The pending names of a folder, and what has been noticed on the way.
#[derive(Debug)]
pub(crate) struct Reader {
    folder: Folder,
    pending: BTreeSet<EntryName>,
    unfinished: Option<Unfinished>,
    notices: Vec<Notice>,
    strays_told: BTreeSet<OsString>,
    strays_counted: usize,
    crowd_told: bool,
    held_up_told: Option<EntryName>,
}

/// A file that was incomplete when it was last looked at.
#[derive(Debug)]
struct Unfinished {
    name: EntryName,
    version: Version,
    first_seen: Instant,
    unchanged_since: Instant,
}

impl Reader {
    pub(crate) fn new(folder: Folder) -> Self {
        Self {
            folder,
            pending: BTreeSet::new(),
            unfinished: None,
            notices: Vec::new(),
            strays_told: BTreeSet::new(),
            strays_counted: 0,
            crowd_told: false,
            held_up_told: None,
        }
    }

    /// Lists the folder twice and keeps what may be delivered. Returns whether anything is pending, delivered now or
    /// only after a later scan.
    pub(crate) fn scan(&mut self, progress: &Progress) -> Result<bool, StorageError> {
        self.folder.check_in_place()?;
        let mut first = Scan::first(progress);
        self.folder.list(|name| first.see(name))?;
        let (strays, entries) = (first.strays().clone(), first.entries());
        let any = first.saw_pending();
        self.pending.clear();
        if any {
            let mut second = first.second();
            self.folder.list(|name| second.see(name))?;
            self.pending.extend(second.into_pending());
        }
        self.tell_strays(&strays);
        if entries > CROWDED_FOLDER_ENTRIES && !self.crowd_told {
            self.crowd_told = true;
            self.notices.push(Notice::Crowded(entries));
        }
        Ok(any)
    }

    /// Adds a name that became visible after everything before it was delivered. Returns whether there was room.
    pub(crate) fn offer(&mut self, name: &OsStr, progress: &Progress) -> bool {
        let mut scan = Scan::first(progress);
        scan.see(name);
        let strays = scan.strays().clone();
        let wanted = scan.saw_pending();
        self.tell_strays(&strays);
        if wanted && !self.has_room() {
            return false;
        }
        if wanted {
            self.pending.extend(name.to_str().and_then(|text| text.parse().ok()));
        }
        true
    }

    /// Tells whether one more name could be pending, so that none was left out for want of room.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < SCAN_BATCH_NAMES
    }

    /// Reads the lowest pending name, or finds that none is left of the last scan.
    pub(crate) fn look(&mut self) -> Result<Found, StorageError> {
        while let Some(name) = self.pending.first().cloned() {
            match Entry::read(&self.folder, &name)? {
                Entry::Message(message) => return Ok(Found::Message(name, message)),
                Entry::Malformed(fault) => return Ok(Found::Malformed(name, fault)),
                Entry::Unfinished(version) => return Ok(self.wait_for(name, version, Instant::now())),
                Entry::Gone => self.done_with(&name),
            }
        }
        Ok(Found::Nothing)
    }

    /// Goes on behind a name.
    pub(crate) fn done_with(&mut self, name: &EntryName) {
        self.pending.remove(name);
    }

    /// Gives an incomplete file time to become whole, as long as its writer goes on.
    ///
    /// The time since its last change counts, not only what this reader saw of it: otherwise programs that look shortly
    /// and often would never get past a file that nobody finishes.
    fn wait_for(&mut self, name: EntryName, version: Version, now: Instant) -> Found {
        let changed = now.checked_sub(version.age(Utc::now())).unwrap_or(now);
        let unfinished = match self.unfinished.take() {
            Some(before) if before.name == name && before.version == version => before,
            Some(before) if before.name == name => Unfinished { version, unchanged_since: changed, ..before },
            _ => Unfinished { name: name.clone(), version, first_seen: now, unchanged_since: changed },
        };
        let left_of = |since: Instant, limit: Duration| limit.saturating_sub(now.duration_since(since));
        let left = left_of(unfinished.unchanged_since, PARTIAL_FILE_GRACE)
            .min(left_of(unfinished.first_seen, PARTIAL_FILE_MAX));
        self.unfinished = Some(unfinished);
        if left.is_zero() {
            return Found::Malformed(name, MessageError::Incomplete.into());
        }
        if self.held_up_told.as_ref() != Some(&name) {
            self.held_up_told = Some(name.clone());
            self.notices.push(Notice::HeldUp(name.clone()));
        }
        Found::Unfinished(name, left)
    }

    /// Keeps a stray for the report once, however often the folder is listed.
    fn tell_strays(&mut self, strays: &Strays) {
        for name in &strays.names {
            if self.strays_told.len() < STRAY_NAMES_KEPT && self.strays_told.insert(name.clone()) {
                self.notices.push(Notice::Stray(name.clone()));
            }
        }
        if strays.count > self.strays_counted.max(STRAY_NAMES_KEPT) {
            self.strays_counted = strays.count;
            self.notices.push(Notice::MoreStrays(strays.count - STRAY_NAMES_KEPT));
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Hands over what was noticed since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
