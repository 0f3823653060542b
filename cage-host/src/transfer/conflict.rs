//! Files that two sides changed.

use std::fmt;

/// A file that was not overwritten, because somebody else changed it too.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// Its path, safe to show.
    pub path: String,
    /// What stands against it.
    pub kind: ConflictKind,
}

/// Why writing a file would lose somebody's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConflictKind {
    /// The folder's file is not the one that the changes were compared with.
    #[error("the folder's file changed since the diff")]
    Changed,
    /// The cage added a file where the folder has another one by now.
    #[error("the folder has another file there")]
    Appeared,
    /// The cage changed a file that the folder no longer has.
    #[error("the folder no longer has the file")]
    Vanished,
    /// The host and the cage changed a file, each in its own way, since the cage was created.
    #[error("both the host and the cage changed it")]
    BothChanged,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.kind)
    }
}
