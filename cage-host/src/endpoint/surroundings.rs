//! The variables and files by which a process says which engine it means.

use std::io;
use std::path::{Path, PathBuf};

/// What choosing an engine may look at. Tests have one without a process and without a disk.
pub(super) trait Surroundings {
    /// A variable of the environment; an empty one is none.
    fn variable(&self, name: &str) -> Option<String>;
    /// The home folder of the user.
    fn home(&self) -> Option<PathBuf>;
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;
    /// The entries of a folder, none if it cannot be read.
    fn entries(&self, path: &Path) -> Vec<PathBuf>;
    /// Whether something is there.
    fn exists(&self, path: &Path) -> bool;
    /// Whether this process may write to what is there.
    fn is_writable(&self, path: &Path) -> bool;
}

/// Those of this process.
pub(super) struct ThisProcess;

impl Surroundings for ThisProcess {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn entries(&self, path: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn is_writable(&self, path: &Path) -> bool {
        rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
    }
}
