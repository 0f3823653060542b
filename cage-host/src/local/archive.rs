//! A folder of an embedded cage as an archive.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::folders::Folders;
use crate::backend::{Archive, CageId, Exec};
use crate::error::Result;

/// Longest time for reading a folder.
const ARCHIVE_DEADLINE: Duration = Duration::from_secs(600);

impl Folders {
    /// Opens a folder of a cage's home as an archive that the host's `tar` makes; `None` without such a folder.
    pub(crate) fn archive(&self, id: &CageId, folder: &str) -> Result<Option<Archive>> {
        let layout = self.layout(id);
        let path: PathBuf = Path::new(layout.home()).join(folder).components().collect();
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(None) };
        if !path.is_dir() {
            return Ok(None);
        }
        let (above, name) = (above.to_string_lossy(), name.to_string_lossy());
        let argv = ["tar", "--create", "--file=-", "--format=pax", "--directory", &above, &name];
        let running = self.spawn(id, Exec::new("read the cage's files", argv, ARCHIVE_DEADLINE))?;
        let chunks = stream::unfold(running, |mut running| async {
            running.next_stdout().await.transpose().map(|chunk| (chunk, running))
        });
        Ok(Some(chunks.boxed()))
    }
}
