//! What an agent changed, as callers see it.

use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use similar::{Algorithm, TextDiff};
use tokio::task::spawn_blocking;

use super::beneath::open_beneath;
use super::refused::{Refused, RefusedPath};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use crate::cage::CageName;
use crate::error::{EngineError, Result};
use crate::sanitize::{sanitize, sanitize_path};

/// Longest text, in bytes, that is compared line by line.
const MAX_TEXT_BYTES: u64 = 1024 * 1024;

/// Longest time for comparing one file; after it the comparison is coarser, not wrong.
const TEXT_DEADLINE: std::time::Duration = std::time::Duration::from_secs(1);

/// Lines shown around each change.
const CONTEXT_LINES: usize = 3;

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
    /// The folder that the project was compared with.
    pub(super) dir: PathBuf,
    pub(super) list: Vec<Change>,
    pub(super) refused: Refused,
    pub(super) spool: Spool,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub(super) path: SafePath,
    pub(super) kind: ChangeKind,
    pub(super) executable: bool,
    pub(super) content: Option<Span>,
    pub(super) hold: Option<Hold>,
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
    /// A symbolic link is never exported.
    #[error("it is a symbolic link")]
    Link,
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
    /// It vanished, or the agent made it unreadable.
    #[error("it could not be read")]
    Unreadable,
}

impl Changes {
    /// Returns the cage that they were read from.
    pub fn cage(&self) -> &CageName {
        &self.inner.cage
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
        spawn_blocking(move || inner.unified_text(&change)).await.map_err(|error| {
            EngineError::Lost { operation: "compare a file", reason: error.to_string() }.into()
        })
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
    /// Writes one line for each change: a letter, the path, and why it is held back if it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for change in self {
            writeln!(f, "{change}")?;
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

    /// Returns why it is not exported, if it is not.
    pub fn hold(&self) -> Option<Hold> {
        self.hold
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, sanitize_path(self.path()))?;
        match &self.hold {
            Some(hold) => write!(f, " (held back: {hold})"),
            None => Ok(()),
        }
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

impl Inner {
    fn unified_text(&self, change: &Change) -> String {
        let path = sanitize_path(change.path());
        let Some(after) = change.content else { return format!("{} {path}\n", change.kind) };
        let before = match change.kind {
            ChangeKind::Modified => self.text_on_host(&change.path),
            _ => Some(String::new()),
        };
        let (Some(before), Some(after)) = (before, self.text_in_spool(after)) else {
            return format!("{} {path}: no text, or longer than {MAX_TEXT_BYTES} bytes\n", change.kind);
        };
        let mut config = TextDiff::configure();
        config.algorithm(Algorithm::Myers).timeout(TEXT_DEADLINE);
        let diff = config.diff_lines(&before, &after);
        let old = if change.kind == ChangeKind::Added { "/dev/null".to_owned() } else { format!("a/{path}") };
        sanitize(
            &diff.unified_diff().context_radius(CONTEXT_LINES).header(&old, &format!("b/{path}")).to_string(),
        )
    }

    fn text_on_host(&self, path: &SafePath) -> Option<String> {
        let dir = Dir::open_ambient_dir(&self.dir, ambient_authority()).ok()?;
        read_text(open_beneath(&dir, path).ok()?)
    }

    fn text_in_spool(&self, span: Span) -> Option<String> {
        read_text(self.spool.reader(span))
    }
}

fn read_text(reader: impl std::io::Read) -> Option<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_TEXT_BYTES || bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}
