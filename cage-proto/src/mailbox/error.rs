//! An I/O error with its operation and path.

use std::io;
use std::path::{Path, PathBuf};

/// An operation on a mailbox's files that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {}", path.display())]
pub struct StorageError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl StorageError {
    pub(crate) fn new(operation: &'static str, path: impl AsRef<Path>, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.as_ref().to_owned(), source: source.into() }
    }

    /// Returns the kind of the I/O error behind it.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// Returns the path that the operation was about.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
