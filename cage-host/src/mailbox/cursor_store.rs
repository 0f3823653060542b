//! Where a host remembers how far it has read an outbox, and what it exported.
//!
//! It lies on the host, because an agent can write everything inside its cage.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Keeps, for each key, some text that means something to this library alone: a few lines for a consumer of an outbox,
/// and for a folder that was exported to a line for each file, at most 4 MB.
///
/// A key is made of letters, digits, `.`, `_` and `-`, fits into a file name, and belongs to one cage; a later cage of
/// the same name has other keys. Calls are made where blocking is allowed.
pub trait CursorStore: fmt::Debug + Send + Sync {
    /// Returns what was saved last under a key, or nothing.
    ///
    /// # Errors
    /// When what was saved cannot be read.
    fn load(&self, key: &str) -> io::Result<Option<String>>;

    /// Replaces what is saved under a key. When this returns, a crash does not undo it.
    ///
    /// # Errors
    /// When it could not be saved; what was there before is then still there.
    fn save(&self, key: &str, text: &str) -> io::Result<()>;

    /// Forgets every key that begins with a prefix.
    ///
    /// # Errors
    /// When something could not be removed.
    fn forget(&self, prefix: &str) -> io::Result<()>;
}

/// Cursors in memory: after a restart of the host program every message is delivered again.
#[derive(Debug, Default)]
pub struct MemoryCursors(Mutex<HashMap<String, String>>);

impl CursorStore for MemoryCursors {
    fn load(&self, key: &str) -> io::Result<Option<String>> {
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn save(&self, key: &str, text: &str) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), text.to_owned());
        Ok(())
    }

    fn forget(&self, prefix: &str) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !key.starts_with(prefix));
        Ok(())
    }
}

/// Cursors in files of a folder, one for each consumer of each cage.
#[derive(Debug)]
pub struct FileCursors {
    folder: PathBuf,
}

impl FileCursors {
    /// Keeps cursors in a folder, which is created when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    fn file(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.cursor"))
    }
}

impl CursorStore for FileCursors {
    fn load(&self, key: &str) -> io::Result<Option<String>> {
        match std::fs::read_to_string(self.file(key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            text => text.map(Some),
        }
    }

    fn save(&self, key: &str, text: &str) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(self.file(key))?;
        sync_folder(&self.folder)
    }

    fn forget(&self, prefix: &str) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// Makes a rename in a folder survive a loss of power.
fn sync_folder(folder: &Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_replaces_and_forgets(store: &dyn CursorStore) {
        assert_eq!(store.load("demo.1").unwrap(), None);
        store.save("demo.1", "first").unwrap();
        store.save("demo.1", "second").unwrap();
        store.save("demo2.1", "other").unwrap();
        assert_eq!(store.load("demo.1").unwrap().as_deref(), Some("second"));
        store.forget("demo.").unwrap();
        assert_eq!(store.load("demo.1").unwrap(), None);
        assert_eq!(store.load("demo2.1").unwrap().as_deref(), Some("other"));
    }

    #[test]
    fn memory_keeps_replaces_and_forgets() {
        keeps_replaces_and_forgets(&MemoryCursors::default());
    }

    #[test]
    fn files_keep_replace_and_forget_and_leave_no_temporary_file() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cursors");
        keeps_replaces_and_forgets(&FileCursors::new(&folder).unwrap());
        let names: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["demo2.1.cursor"]);
    }
}
