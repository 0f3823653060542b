//! Commits of a cage, as callers see them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cage_proto::message::Timestamp;
use tokio::task::spawn_blocking;

use super::super::changes::{Change, ChangeKind};
use super::super::refused::{Refused, RefusedPath};
use super::super::spool::{Span, Spool};
use super::super::text::{MAX_TEXT_BYTES, text_in_spool, unified};
use super::commit_text::{Author, CommitText};
use super::id::ObjectId;
use super::raw::Was;
use crate::cage::CageName;
use crate::error::{EngineError, Result};
use crate::sanitize::sanitize_path;

/// Longest time for comparing all files of one commit; after it the rest is compared coarsely.
const TEXT_DEADLINE: Duration = Duration::from_secs(5);

/// Longest text of one commit, in bytes; files beyond it are counted.
const MAX_PATCH_BYTES: usize = 16 * 1024 * 1024;

/// Digits of a commit's name in one line.
const SHORT_DIGITS: usize = 10;

/// The commits that an agent made, oldest first, with the contents of every file in them.
///
/// Merges are seen from their first parent, so that the list is one line of history. All of it is what the agent says:
/// the author's name, the dates, the messages and the order.
#[derive(Debug, Clone)]
pub struct Patches {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) cage: CageName,
    pub(super) list: Vec<Patch>,
    pub(super) refused: Refused,
    pub(super) spool: Spool,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    pub(super) id: ObjectId,
    pub(super) text: CommitText,
    pub(super) files: Vec<Change>,
    /// What each file was, and became.
    pub(super) blobs: Vec<Blobs>,
}

/// The contents of a file before and after a commit, as the cage names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Blobs {
    pub(super) was: Was,
    pub(super) old: Option<ObjectId>,
    /// Missing where there was none, and where it is too large to be compared.
    pub(super) old_content: Option<Span>,
    pub(super) new: Option<ObjectId>,
}

impl Patches {
    /// Returns the cage that they were read from.
    pub fn cage(&self) -> &CageName {
        &self.inner.cage
    }

    /// Returns the commits, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Patch> {
        self.inner.list.iter()
    }

    /// Returns how many commits there are.
    pub fn len(&self) -> usize {
        self.inner.list.len()
    }

    /// Says whether there is no commit.
    pub fn is_empty(&self) -> bool {
        self.inner.list.is_empty()
    }

    /// Returns what the commits hold that makes no sense as a path, at most a thousand of them.
    pub fn refused(&self) -> &[RefusedPath] {
        self.inner.refused.shown()
    }

    /// Returns how many refusals there were beyond those in [`Patches::refused`].
    pub fn refused_more(&self) -> usize {
        self.inner.refused.uncounted()
    }

    /// Returns a commit as text, safe to show: its name, author, date and message, then each file line by line.
    ///
    /// It is for reading. To take commits over, use [`Patches::branch`] or [`Patches::series`]. Files that are no text
    /// or larger than 1 MiB give one line; beyond 16 MiB of text, files are only counted.
    ///
    /// # Errors
    /// [`EngineError`] when the runtime shuts down meanwhile.
    pub async fn unified_text(&self, patch: &Patch) -> Result<String> {
        let inner = Arc::clone(&self.inner);
        let patch = patch.clone();
        spawn_blocking(move || patch.unified_text(&inner.spool)).await.map_err(|error| {
            EngineError::Lost { operation: "compare files", reason: error.to_string() }.into()
        })
    }
}

impl<'a> IntoIterator for &'a Patches {
    type Item = &'a Patch;
    type IntoIter = std::slice::Iter<'a, Patch>;

    fn into_iter(self) -> Self::IntoIter {
        self.inner.list.iter()
    }
}

impl fmt::Display for Patches {
    /// Writes one line for each commit.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|patch| writeln!(f, "{patch}"))
    }
}

impl Patch {
    /// Returns the hexadecimal name that the commit has in the cage.
    pub fn id(&self) -> &str {
        self.id.as_str()
    }

    /// Returns who it says that it is by.
    pub fn author(&self) -> &Author {
        &self.text.author
    }

    /// Returns when it says that it was made, in whole seconds.
    pub fn date(&self) -> &Timestamp {
        &self.text.date
    }

    /// Returns the first line of its message.
    pub fn subject(&self) -> &str {
        &self.text.subject
    }

    /// Returns the rest of its message, without the empty line before it; at most 64 KiB.
    pub fn body(&self) -> &str {
        &self.text.body
    }

    /// Returns the files that it changes, and why some of them are held back.
    pub fn files(&self) -> &[Change] {
        &self.files
    }

    pub(super) fn message(&self) -> String {
        let (subject, body) = (self.subject(), self.body());
        if body.is_empty() { format!("{subject}\n") } else { format!("{subject}\n\n{body}\n") }
    }

    fn unified_text(&self, spool: &Spool) -> String {
        let deadline = Instant::now() + TEXT_DEADLINE;
        let mut text = format!("commit {}\nAuthor: {}\nDate:   {}\n\n", self.id, self.author(), self.date());
        for line in self.message().lines() {
            text.push_str("    ");
            text.push_str(line);
            text.push('\n');
        }
        for (shown, (change, blobs)) in self.files.iter().zip(&self.blobs).enumerate() {
            if text.len() > MAX_PATCH_BYTES {
                let more = self.files.len() - shown;
                return format!("{text}\n{more} more files are not shown\n");
            }
            text.push('\n');
            text.push_str(&file_text(change, blobs, spool, deadline));
        }
        text
    }
}

impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files.len() == 1 { "file" } else { "files" };
        let (id, author) = (&self.id()[..SHORT_DIGITS], &self.author().name);
        write!(f, "{id} {} ({author}, {} {files})", self.subject(), self.files.len())
    }
}

fn file_text(change: &Change, blobs: &Blobs, spool: &Spool, deadline: Instant) -> String {
    let path = sanitize_path(change.path());
    let text = |span: Option<Span>| match span {
        Some(span) => text_in_spool(spool, span),
        None => Some(String::new()),
    };
    if change.hold.is_some() && change.content.is_none() || change.kind == ChangeKind::ModeChanged {
        return format!("{change}\n");
    }
    // A file that was too large to be read is no empty one.
    let known = blobs.old_content.is_some() == blobs.old.is_some();
    let (Some(old), Some(new), true) = (text(blobs.old_content), text(change.content), known) else {
        return format!("{} {path}: no text, or longer than {MAX_TEXT_BYTES} bytes\n", change.kind);
    };
    let old_name = if blobs.old.is_none() { "/dev/null".to_owned() } else { format!("a/{path}") };
    let new_name = if change.content.is_none() { "/dev/null".to_owned() } else { format!("b/{path}") };
    unified(&old, &new, &old_name, &new_name, deadline)
}
