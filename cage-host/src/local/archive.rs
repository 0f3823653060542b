//! A folder of an embedded cage as an archive.

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
        if !std::path::Path::new(layout.home()).join(folder).is_dir() {
            return Ok(None);
        }
        let argv = ["tar", "--create", "--file=-", "--format=pax", "--directory", layout.home(), folder];
        let running = self.spawn(id, Exec::new("read the cage's files", argv, ARCHIVE_DEADLINE))?;
        let chunks = stream::unfold(running, |mut running| async {
            running.next_stdout().await.transpose().map(|chunk| (chunk, running))
        });
        Ok(Some(chunks.boxed()))
    }
}
