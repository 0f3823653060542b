//! Notes about the extra folders of an embedded cage, each a file beside its home.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::fs;

use super::folders::Folders;
use crate::backend::CageId;
use crate::cage::{ExtraFolder, FolderNote, FolderRecord, NoteKind, Unfinished, from_label};
use crate::error::{IoContext as _, Result};

/// The file that holds what stands in a container's label.
pub(super) const CREATED: &str = "folders";

/// The folder of the notes.
const NOTES: &str = "notes";

/// What is in a note, beside what its name says.
#[derive(Default, Serialize, Deserialize)]
struct Written {
    dir: Option<String>,
    creator: String,
}

impl Folders {
    /// Returns all that is known of the extra folders of a cage.
    pub(crate) async fn folder_record(&self, id: &CageId) -> Result<FolderRecord> {
        let folder = self.existing(id, "list its folders").await?;
        Ok(read(&folder).await)
    }

    /// Writes a note; `false` when there is one of this kind about this folder already.
    pub(crate) async fn write_note(&self, id: &CageId, note: &FolderNote) -> Result<bool> {
        let folder = self.existing(id, "note the folder").await?.join(NOTES);
        fs::create_dir_all(&folder).await.context("create the folder", &folder)?;
        let dir = note.folder.dir_text().map(str::to_owned);
        let written = serde_json::to_vec(&Written { dir, creator: note.by.creator.clone() });
        let path = folder.join(file_name(note.kind, &note.folder.place));
        let file = std::fs::File::options().write(true).create_new(true).open(&path);
        match file {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            file => {
                let written = written.map_err(io::Error::from);
                let done = file.and_then(|mut file| file.write_all(&written?));
                done.context("write", &path).map(|()| true)
            }
        }
    }

    /// Removes a note; one that is gone already is no error.
    pub(crate) async fn remove_note(&self, id: &CageId, kind: NoteKind, place: &str) -> Result<()> {
        let path = self.existing(id, "note the folder").await?.join(NOTES).join(file_name(kind, place));
        match fs::remove_file(&path).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.context("remove", &path),
        }
    }
}

/// Reads what is known of the folders of the cage in this folder.
pub(super) async fn read(folder: &Path) -> FolderRecord {
    let created = fs::read_to_string(folder.join(CREATED)).await.unwrap_or_default();
    let mut notes = Vec::new();
    if let Ok(mut entries) = fs::read_dir(folder.join(NOTES)).await {
        while let Ok(Some(entry)) = entries.next_entry().await {
            notes.extend(note(&entry.path()).await);
        }
    }
    FolderRecord { created: from_label(&created), notes }
}

fn file_name(kind: NoteKind, place: &str) -> String {
    format!("{}.{place}", kind.as_str())
}

async fn note(path: &PathBuf) -> Option<FolderNote> {
    let (kind, place) = path.file_name()?.to_str()?.split_once('.')?;
    let kind = NoteKind::parse(kind)?;
    let text = fs::read(path).await.ok()?;
    // One that is being written counts as well.
    let written: Written = serde_json::from_slice(&text).unwrap_or_default();
    let age = fs::metadata(path).await.ok()?.modified().ok()?.elapsed().unwrap_or_default();
    let folder = ExtraFolder::checked(place, written.dir.as_deref())?;
    Some(FolderNote { kind, folder, by: Unfinished { creator: written.creator, age } })
}
