//! A cage seen from within this crate: where it is and how to run something there.

use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::backend::{Archive, Backend, Birth, CageId, Exec, Layout, Running, WrittenSince};
use crate::cage::{
    CageName, CageState, FolderName, FolderNote, FolderRecord, NoteKind, Origin, PROJECT, Sent,
};
use crate::error::Result;
use crate::interactive::Terminal;

/// Characters of a cage's id in the keys of its cursors: enough to be unique, and a file name stays short.
const CURSOR_ID_CHARS: usize = 32;

/// One cage of one backend.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) name: CageName,
    pub(crate) id: CageId,
    pub(crate) layout: Layout,
    backend: Backend,
    still: Option<Still>,
    /// Asked for once.
    birth: Arc<OnceCell<Birth>>,
    /// The folder of the home that is compared and read.
    folder: String,
}

/// What is known of a cage that is read without running anything in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Still {
    /// When the cage, or the first one that it was copied from, was created, in seconds since 1970: nothing older was
    /// written by an agent.
    pub(crate) since: i64,
}

impl Place {
    pub(crate) fn new(name: CageName, id: CageId, backend: Backend) -> Self {
        let layout = backend.layout(&id);
        Self { name, id, layout, backend, still: None, birth: Arc::default(), folder: PROJECT.to_owned() }
    }

    pub(crate) async fn exec(&self, exec: Exec) -> Result<Running> {
        self.backend.exec(&self.id, exec).await
    }

    /// Has an extra folder compared and read instead of the project from here on.
    pub(crate) fn reading_folder(self, folder: &FolderName) -> Self {
        Self { folder: folder.to_string(), ..self }
    }

    /// Returns the name of the folder of the home that is compared and read: the project, or an extra one.
    pub(crate) fn folder(&self) -> &str {
        &self.folder
    }

    /// Returns where that folder lies.
    pub(crate) fn folder_path(&self) -> String {
        self.layout.folder(&self.folder)
    }

    /// Has the cage read without running anything in it from here on.
    pub(crate) async fn read_still(mut self) -> Result<Self> {
        self.still = Some(Still { since: self.written_since().await?.first() });
        Ok(self)
    }

    /// Returns since when agents wrote into the cage, or into what it was copied from.
    pub(crate) async fn written_since(&self) -> Result<WrittenSince> {
        Ok(self.birth().await?.written)
    }

    /// Returns what was copied into the cage.
    pub(crate) async fn sent(&self) -> Result<&Sent> {
        Ok(&self.birth().await?.sent)
    }

    async fn birth(&self) -> Result<&Birth> {
        self.birth.get_or_try_init(|| self.backend.birth(&self.id)).await
    }

    /// Says whether the cage's programs can be held.
    pub(crate) fn can_pause(&self) -> bool {
        matches!(self.backend, Backend::Docker(_))
    }

    /// Says whether, and since when, the cage is read without running anything in it.
    pub(crate) fn still(&self) -> Option<Still> {
        self.still
    }

    /// Opens a folder of the cage's home as an archive that the engine makes; `None` without such a folder.
    pub(crate) async fn archive(&self, folder: &str) -> Result<Option<Archive>> {
        self.backend.archive(&self.id, folder).await
    }

    pub(crate) async fn terminal(&self, exec: Exec) -> Result<Terminal> {
        self.backend.terminal(&self.id, exec).await
    }

    /// Returns what the keys of this cage's cursors begin with. No other cage has it, also no later one of this name.
    pub(crate) fn cursor_prefix(&self) -> String {
        let id: String = self.id.as_str().chars().rev().take(CURSOR_ID_CHARS).collect();
        format!("{}.{id}.", self.name)
    }

    pub(crate) async fn start(&self) -> Result<()> {
        self.backend.start(&self.id).await
    }

    pub(crate) async fn stop(&self) -> Result<()> {
        self.backend.stop(&self.id).await
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        self.backend.pause(&self.id).await
    }

    pub(crate) async fn unpause(&self) -> Result<()> {
        self.backend.unpause(&self.id).await
    }

    pub(crate) async fn state(&self) -> Result<CageState> {
        self.backend.state(&self.id).await
    }

    /// Returns what the cage was created with.
    pub(crate) async fn origin(&self) -> Result<Origin> {
        self.backend.origin(&self.id).await
    }

    /// Takes the last step of creating.
    pub(crate) async fn finish(&self) -> Result<()> {
        self.backend.finish(&self.id, &self.name).await
    }

    /// Returns all that is known of the cage's extra folders.
    pub(crate) async fn folder_record(&self) -> Result<FolderRecord> {
        self.backend.folder_record(&self.id).await
    }

    /// Notes something about an extra folder; `false` when the same was noted before.
    pub(crate) async fn write_note(&self, note: &FolderNote) -> Result<bool> {
        self.backend.write_note(&self.id, note).await
    }

    /// Removes a note about an extra folder.
    pub(crate) async fn remove_note(&self, kind: NoteKind, place: &str) -> Result<()> {
        self.backend.remove_note(&self.id, kind, place).await
    }

    pub(crate) async fn remove(&self) -> Result<()> {
        self.backend.remove(&self.id).await
    }
}
