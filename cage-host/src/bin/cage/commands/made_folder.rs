//! A folder of this machine that an export makes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Folders that were missing and were made; as long as they are not kept they go again, unless something lies in them.
#[derive(Debug, Default)]
pub(super) struct MadeFolder(Vec<PathBuf>);

impl MadeFolder {
    /// Makes a folder, with those that it lies in, where it is missing.
    pub(super) fn make(dir: &Path) -> Result<Self, Failure> {
        let missing = dir.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
        let made = Self(missing.map(Path::to_owned).collect());
        fs::create_dir_all(dir).map_err(|error| Failure::NotWritten { path: dir.to_owned(), error })?;
        Ok(made)
    }

    /// Leaves the folders there.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolder {
    fn drop(&mut self) {
        for folder in &self.0 {
            // One that is not empty stays, with those that it lies in.
            let _ = fs::remove_dir(folder);
        }
    }
}
