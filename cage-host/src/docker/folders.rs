//! Notes about the extra folders of a container, each in the labels of a volume that holds nothing.
//!
//! The labels of a container cannot be changed. A volume is the one thing with labels that can be made beside it at any
//! time, that an agent cannot see, and that `docker system prune` leaves alone.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::{
    InspectContainerOptions, ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder,
};
use cage_proto::env::{IdSource as _, System};
use chrono::DateTime;

use super::client::Engine;
use super::error::Blame;
use crate::backend::CageId;
use crate::cage::{ExtraFolder, FolderNote, FolderRecord, NoteKind, Unfinished, from_label, labels};
use crate::error::{EngineError, Result};

const LIST: &str = "list the notes about folders";

impl Engine {
    /// Returns all that is known of the extra folders of a container.
    pub(crate) async fn folder_record(&self, id: &CageId) -> Result<FolderRecord> {
        let call = self.docker.inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let container = self.call("look at the container", call).await?;
        let mut labels = container.config.and_then(|config| config.labels).unwrap_or_default();
        let created = labels.remove(labels::FOLDERS).map(|label| from_label(&label)).unwrap_or_default();
        let volumes = self.note_volumes(Some(id)).await?;
        Ok(FolderRecord { created, notes: volumes.iter().filter_map(note).collect() })
    }

    /// Lists the notes about the folders of all containers.
    pub(crate) async fn folder_notes(&self) -> Result<Vec<(CageId, FolderNote)>> {
        let volumes = self.note_volumes(None).await?;
        Ok(volumes.iter().filter_map(|volume| Some((owner(volume)?, note(volume)?))).collect())
    }

    /// Writes a note; `false` when there is one of this kind about this folder already.
    pub(crate) async fn write_note(&self, id: &CageId, note: &FolderNote) -> Result<bool> {
        const OPERATION: &str = "note the folder";
        let unique = System.next_id().to_string();
        let mut labels = HashMap::from([
            (labels::MANAGED, "true"),
            (labels::CAGE, id.as_str()),
            (labels::ROLE, note.kind.as_str()),
            (labels::FOLDER, &note.folder.place),
            (labels::CREATOR, &note.by.creator),
            (labels::CREATION, &unique),
        ]);
        labels.extend(note.folder.dir_text().map(|dir| (labels::FOLDER_DIR, dir)));
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let name = volume_name(id, note.kind, &note.folder.place);
        let request = VolumeCreateRequest { name: Some(name), labels: Some(labels), ..Default::default() };
        let volume = self.call(OPERATION, self.docker.create_volume(request)).await?;
        // The engine answers with the one that was there before.
        Ok(volume.labels.get(labels::CREATION) == Some(&unique))
    }

    /// Removes a note; one that is gone already is no error.
    pub(crate) async fn remove_note(&self, id: &CageId, kind: NoteKind, place: &str) -> Result<()> {
        self.remove_volume(&volume_name(id, kind, place)).await
    }

    /// Removes all notes about the folders of a container.
    pub(crate) async fn remove_notes(&self, id: &CageId) -> Result<()> {
        for volume in self.note_volumes(Some(id)).await? {
            self.remove_volume(&volume.name).await?;
        }
        Ok(())
    }

    /// Removes the notes about the folders of containers that are gone.
    pub(crate) async fn remove_lost_notes(&self) -> Result<()> {
        // In this order: a note whose container is not in the later listing has lost it for ever.
        let volumes = self.note_volumes(None).await?;
        let cages: HashSet<_> = self
            .list_containers(None, false)
            .await?
            .into_iter()
            .map(|found| found.id.as_str().to_owned())
            .collect();
        for volume in volumes {
            if owner(&volume).is_none_or(|owner| !cages.contains(owner.as_str())) {
                self.remove_volume(&volume.name).await?;
            }
        }
        Ok(())
    }

    async fn note_volumes(&self, id: Option<&CageId>) -> Result<Vec<Volume>> {
        let mut filter = vec![format!("{}=true", labels::MANAGED)];
        filter.extend(id.map(|id| format!("{}={}", labels::CAGE, id.as_str())));
        let filters = HashMap::from([("label", filter)]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = self.call(LIST, self.docker.list_volumes(Some(options))).await?;
        Ok(listed.volumes.unwrap_or_default())
    }

    async fn remove_volume(&self, name: &str) -> Result<()> {
        const OPERATION: &str = "remove the note about a folder";
        let options = RemoveVolumeOptionsBuilder::new().build();
        match self.try_call(OPERATION, self.docker.remove_volume(name, Some(options))).await? {
            Ok(()) | Err(Blame::NotFound) => Ok(()),
            Err(Blame::Conflict) => {
                let reason = format!("the volume {name} is in use");
                Err(EngineError::Refused { operation: OPERATION, reason }.into())
            }
            Err(blame) => Err(blame.into_error(OPERATION)),
        }
    }
}

/// No other note has the name: the engine decides between two programs that write the same one.
fn volume_name(id: &CageId, kind: NoteKind, place: &str) -> String {
    format!("cage-{}-{}-{place}", kind.as_str(), id.as_str())
}

fn owner(volume: &Volume) -> Option<CageId> {
    volume.labels.get(labels::CAGE).cloned().map(CageId::new)
}

fn note(volume: &Volume) -> Option<FolderNote> {
    let label = |name: &str| volume.labels.get(name).map(String::as_str);
    let created = volume.created_at.as_deref().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
    let age = created.and_then(|at| SystemTime::now().duration_since(at.into()).ok());
    Some(FolderNote {
        kind: NoteKind::parse(label(labels::ROLE)?)?,
        folder: ExtraFolder::checked(label(labels::FOLDER)?, label(labels::FOLDER_DIR))?,
        by: Unfinished {
            creator: label(labels::CREATOR).unwrap_or_default().to_owned(),
            age: age.unwrap_or_default(),
        },
    })
}
