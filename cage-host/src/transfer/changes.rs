//! What an agent changed, as callers see it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::fingerprint::{Fingerprint, Fingerprinter};
use super::refused::{Refused, RefusedPath};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use super::statistics::Statistics;
use crate::cage::CageName;
use crate::error::{EngineError, Result};
use crate::sanitize::sanitize_path;

/// The differences between a folder of the host and a cage's project.
///
/// They hold the contents too: what was shown is what [`Cage::export`](crate::Cage::export) writes, even when the
/// agent goes on working or the cage is gone. Clones share them.
#[derive(Debug, Clone)]
pub struct Changes {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) cage: CageName,
    /// The folder of the cage: the project, or an extra one.
    pub(super) folder: String,
    /// The folder that it was compared with.
    pub(super) dir: PathBuf,
    pub(super) list: Vec<Change>,
    /// What the host alone changed.
    pub(super) changed_here: Vec<Change>,
    pub(super) protected: Vec<ProtectedPath>,
    pub(super) refused: Refused,
    pub(super) spool: Spool,
    pub(super) fingerprints: Fingerprinter,
}

impl Inner {
    /// Returns all that differs, whoever changed it.
    pub(super) fn all(&self) -> impl Iterator<Item = &Change> + Clone {
        self.list.iter().chain(&self.changed_here)
    }
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub(super) path: SafePath,
    pub(super) kind: ChangeKind,
    pub(super) executable: bool,
    pub(super) content: Option<Span>,
    pub(super) hold: Option<Hold>,
    /// The host's file as it was compared, of one that was modified or deleted.
    pub(super) before: Option<Fingerprint>,
    /// The host changed it too since it was sent.
    pub(super) both_changed: bool,
    /// The other end of a move.
    pub(super) moved: Option<SafePath>,
}

/// Something that differs and is left alone, since it is protected on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProtectedPath {
    /// The file, or the topmost protected folder, sanitized.
    pub path: String,
    /// How many files there differ.
    pub files: u64,
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeKind {
    /// The cage has it, the host does not.
    Added,
    /// Its content differs, and perhaps its mode.
    Modified,
    /// The host has it, the cage does not.
    Deleted,
    /// Only whether it can be executed differs.
    ModeChanged,
}

/// Why a change is listed but not exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Hold {
    /// Tools run or obey such a file without being asked. The caller can insist.
    #[error("tools run such a file without being asked")]
    AgentRun,
    /// It lies in the folder of a git repository, under any of the names by which a file system knows that.
    #[error("it lies in the folder of a git repository")]
    GitFolder,
    /// A symbolic link is never exported.
    #[error("it is a symbolic link")]
    Link,
    /// Another repository in a commit.
    #[error("it is a submodule")]
    Submodule,
    /// In a commit: an environment, an installed package or a cache. The caller can insist.
    #[error("it lies in an environment, an installed package or a cache")]
    Protected,
    /// A socket, a FIFO or a device.
    #[error("it is no regular file")]
    Special,
    /// It stands where the host has a folder, a link or something else that is no file.
    #[error("it would replace something that is no file")]
    Replaces,
    /// It is larger than a file may be.
    #[error("it is too large, {bytes} bytes")]
    TooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
    /// The host changed it too, since the cage was created, the last push, or the last export of it. The caller can
    /// insist.
    #[error("both the host and the cage changed it")]
    BothChanged,
    /// It vanished, or the agent made it unreadable.
    #[error("it could not be read")]
    Unreadable,
}

impl Changes {
    /// Returns the cage that they were read from.
    pub fn cage(&self) -> &CageName {
        &self.inner.cage
    }

    /// Returns the folder of the cage's home that was compared: `project`, or the place of an extra one.
    pub fn folder(&self) -> &str {
        &self.inner.folder
    }

    /// Returns the changes in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.inner.list.iter()
    }

    /// Returns how many files differ.
    pub fn len(&self) -> usize {
        self.inner.list.len()
    }

    /// Says whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.inner.list.is_empty()
    }

    /// Returns the files that were moved without a change, from the old path to the new one. Each is also two changes,
    /// a deleted and an added file, since an export adds the one and deletes the other only when it is asked to.
    ///
    /// The host compared the contents itself. A file that was moved and edited is no rename here.
    pub fn renames(&self) -> impl Iterator<Item = (&Path, &Path)> {
        let added = self.iter().filter(|change| change.kind == ChangeKind::Added);
        added.filter_map(|change| Some((change.moved.as_ref()?.as_path(), change.path())))
    }

    /// Returns what differs because the host alone changed it since the cage was created, the last push, or the last
    /// export of it: what `kind` calls deleted, the host added. None of it is among the changes, since the cage has
    /// only what was there before; [`Cage::push`](crate::Cage::push) brings it into the cage.
    pub fn changed_here(&self) -> impl Iterator<Item = &Change> {
        self.inner.changed_here.iter()
    }

    /// Returns what differs in protected places: environments, installed packages and caches (`venv/`,
    /// `node_modules/`, `__pycache__/` and their like), and what the `.cageprotect` files of the host's
    /// folder name. None of it is among the changes.
    pub fn protected(&self) -> &[ProtectedPath] {
        &self.inner.protected
    }

    /// Returns what the cage offered that makes no sense as a path or a file, at most a thousand of them.
    pub fn refused(&self) -> &[RefusedPath] {
        self.inner.refused.shown()
    }

    /// Returns how many refusals there were beyond those in [`Changes::refused`].
    pub fn refused_more(&self) -> usize {
        self.inner.refused.uncounted()
    }

    /// Returns a change as unified text, safe to show. A file that is no text, or larger than 1 MiB, gives one line
    /// that says so; a deleted file is not shown line by line.
    ///
    /// # Errors
    /// [`IoError`](crate::IoError) when a content cannot be read back.
    pub async fn unified_text(&self, change: &Change) -> Result<String> {
        let inner = Arc::clone(&self.inner);
        let change = change.clone();
        compare(move || inner.unified_text(&change)).await
    }

    /// Counts the lines that were added and removed, by language. Ask before an export: the host's side of a modified
    /// file is read when this is called.
    ///
    /// What `.gitignore` files exclude is no change and so is not counted. Files that are no text, or larger than 1
    /// MiB, are counted as files only.
    ///
    /// # Errors
    /// [`EngineError`] when the runtime shuts down meanwhile.
    pub async fn statistics(&self) -> Result<Statistics> {
        let inner = Arc::clone(&self.inner);
        compare(move || inner.statistics()).await
    }
}

impl<'a> IntoIterator for &'a Changes {
    type Item = &'a Change;
    type IntoIter = std::slice::Iter<'a, Change>;

    fn into_iter(self) -> Self::IntoIter {
        self.inner.list.iter()
    }
}

impl fmt::Display for Changes {
    /// Writes one line for each change: a letter, the path, where it was moved from or to, and why it is held back if
    /// it is. What the host alone changed follows as a number of files, with the letter `H`, and protected places, with
    /// the letter `P`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in self {
            writeln!(f, "{change}")?;
        }
        match self.inner.changed_here.len() {
            0 => {}
            1 => writeln!(f, "H (1 file was changed on the host alone)")?,
            files => writeln!(f, "H ({files} files were changed on the host alone)")?,
        }
        for protected in self.protected() {
            writeln!(f, "{protected}")?;
        }
        Ok(())
    }
}

impl Change {
    /// Returns its path below the project. It can hold any character: show it by printing the change itself, or
    /// through [`sanitize_path`].
    pub fn path(&self) -> &Path {
        self.path.as_path()
    }

    /// Returns how it differs.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// Returns the size in the cage, in bytes, of a file that was added or modified and could be read.
    pub fn size(&self) -> Option<u64> {
        self.content.map(|span| span.len)
    }

    /// Returns the other end of a move: where an added file was before, or where a deleted one is now. See
    /// [`Changes::renames`].
    pub fn moved(&self) -> Option<&Path> {
        self.moved.as_ref().map(SafePath::as_path)
    }

    /// Returns why it is not exported, if it is not.
    pub fn hold(&self) -> Option<Hold> {
        self.hold.or(self.both_changed.then_some(Hold::BothChanged))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, sanitize_path(self.path()))?;
        if let Some(moved) = &self.moved {
            let way = if self.kind == ChangeKind::Added { "from" } else { "to" };
            write!(f, " (moved {way} {})", sanitize_path(moved.as_path()))?;
        }
        match self.hold() {
            Some(hold) => write!(f, " (held back: {hold})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ProtectedPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let differ = if self.files == 1 { "file differs" } else { "files differ" };
        write!(f, "P {} (protected, {} {differ})", self.path, self.files)
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "A",
            Self::Modified => "M",
            Self::Deleted => "D",
            Self::ModeChanged => "m",
        })
    }
}

async fn compare<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|error| EngineError::Lost { operation: "compare files", reason: error.to_string() }.into())
}
