//! The two backends behind one enum.

use std::time::SystemTime;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use crate::backend::{Exec, Layout, Running};
use crate::cage::{
    CageName, CageState, FolderNote, FolderRecord, NoteKind, Origin, PlannedCage, Snapshot, Unfinished,
};
use crate::docker::Engine;
use crate::error::{Error, RequestError, Result};
use crate::interactive::Terminal;
use crate::local::Folders;

/// Since when agents wrote what is in a cage, in seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenSince {
    /// When the cage itself was created.
    pub(crate) created: i64,
    /// For a copy: when the first of the cages was created that it was copied from.
    pub(crate) copied: Option<i64>,
}

impl WrittenSince {
    /// Returns the time before which no agent wrote what is in the cage.
    pub(crate) fn first(self) -> i64 {
        self.copied.map_or(self.created, |copied| copied.min(self.created))
    }
}

/// What a backend calls a cage: unlike the name it is never used again for another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CageId(String);

impl CageId {
    pub(crate) fn new(id: String) -> Self {
        Self(id)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A cage that exists, as its backend lists it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) id: CageId,
    pub(crate) name: CageName,
    pub(crate) image: String,
    pub(crate) state: CageState,
    pub(crate) created: SystemTime,
    /// What it takes on the disk beyond its image, where that was asked for.
    pub(crate) bytes: Option<u64>,
    pub(crate) unfinished: Option<Unfinished>,
    /// The cage that is paused as long as this one is being made.
    pub(crate) pauses: Option<CageId>,
    /// What is known of its extra folders.
    pub(crate) folders: FolderRecord,
}

/// An archive as it comes.
pub(crate) type Archive = BoxStream<'static, Result<Bytes>>;

/// Tells of each change of a cage; an end or an error says that nobody tells any more.
pub(crate) type Changes = BoxStream<'static, Result<()>>;

/// Where cages run.
#[derive(Debug, Clone)]
pub(crate) enum Backend {
    /// A container each.
    Docker(Engine),
    /// A folder and child processes each.
    Embedded(Folders),
}

impl Backend {
    /// Checks whether a cage can be created, without making anything.
    pub(crate) async fn check(&self, plan: &PlannedCage) -> Result<()> {
        self.check_abilities(plan).await?;
        match self {
            Self::Docker(engine) => engine.check_creatable(plan).await,
            Self::Embedded(folders) => folders.check_free(&plan.name).await,
        }
    }

    /// Checks whether what is asked for can be had here, whatever exists already.
    pub(crate) async fn check_abilities(&self, plan: &PlannedCage) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.check_abilities(plan).await,
            Self::Embedded(_) => Folders::check_abilities(plan),
        }
    }

    /// Returns what of a cage the engine cannot limit. The embedded backend promises no limit.
    pub(crate) fn unlimited(&self) -> Option<&str> {
        match self {
            Self::Docker(engine) => engine.unlimited.as_deref(),
            Self::Embedded(_) => None,
        }
    }

    /// Makes an empty cage that is not started and marked as unfinished.
    pub(crate) async fn create(&self, plan: &PlannedCage) -> Result<CageId> {
        match self {
            Self::Docker(engine) => engine.create_container(plan).await,
            Self::Embedded(folders) => folders.create(plan).await,
        }
    }

    /// Starts a cage, after which programs can be run in it.
    pub(crate) async fn start(&self, id: &CageId) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.start_container(id).await,
            Self::Embedded(folders) => folders.start(id).await,
        }
    }

    /// Ends every program of a cage; one that is stopped is no error.
    pub(crate) async fn stop(&self, id: &CageId) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.stop_container(id).await,
            Self::Embedded(folders) => folders.stop(id).await,
        }
    }

    /// Holds every program of a cage where it is.
    pub(crate) async fn pause(&self, id: &CageId) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.pause_container(id).await,
            Self::Embedded(_) => Err(no_pause()),
        }
    }

    /// Lets the programs of a paused cage go on.
    pub(crate) async fn unpause(&self, id: &CageId) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.unpause_container(id).await,
            Self::Embedded(_) => Err(no_pause()),
        }
    }

    /// Returns what a cage does.
    pub(crate) async fn state(&self, id: &CageId) -> Result<CageState> {
        match self {
            Self::Docker(engine) => engine.container_state(id).await,
            Self::Embedded(folders) => folders.state(id).await,
        }
    }

    /// Takes the mark of an unfinished creation away; what is listed without it is never cleaned up.
    pub(crate) async fn finish(&self, id: &CageId, name: &CageName) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.finish_container(id, name).await,
            Self::Embedded(folders) => folders.finish(id).await,
        }
    }

    /// Removes a cage and everything in it; one that is gone already is no error.
    pub(crate) async fn remove(&self, id: &CageId) -> Result<()> {
        match self {
            Self::Docker(engine) => {
                let image = engine.snapshot_below(id).await?;
                engine.remove_container(id).await?;
                engine.remove_notes(id).await?;
                match image {
                    Some(image) => engine.remove_unused_image(&image).await,
                    None => Ok(()),
                }
            }
            Self::Embedded(folders) => folders.remove(id).await,
        }
    }

    /// Lists the cages, or the one of a name; what is known of their folders may be incomplete.
    pub(crate) async fn list(&self, name: Option<&CageName>, sizes: bool) -> Result<Vec<Found>> {
        match self {
            Self::Docker(engine) => engine.list_containers(name, sizes).await,
            Self::Embedded(folders) => folders.list(name, sizes).await,
        }
    }

    /// Tells whenever a cage is made, started, held, stopped or removed, where somebody knows; otherwise it ends at
    /// once.
    pub(crate) fn changes(&self) -> Changes {
        match self {
            Self::Docker(engine) => engine.changes(),
            Self::Embedded(_) => stream::empty().boxed(),
        }
    }

    /// Lists the cages with all that is known of their folders.
    pub(crate) async fn list_with_folders(&self, sizes: bool) -> Result<Vec<Found>> {
        let Self::Docker(engine) = self else { return self.list(None, sizes).await };
        // Boxed, so that the futures of all who list stay small.
        let (found, notes) = (Box::pin(self.list(None, sizes)), Box::pin(engine.folder_notes()));
        let (mut found, notes) = tokio::try_join!(found, notes)?;
        for (id, note) in notes {
            if let Some(found) = found.iter_mut().find(|found| found.id == id) {
                found.folders.notes.push(note);
            }
        }
        Ok(found)
    }

    /// Returns all that is known of the extra folders of a cage.
    pub(crate) async fn folder_record(&self, id: &CageId) -> Result<FolderRecord> {
        match self {
            Self::Docker(engine) => engine.folder_record(id).await,
            Self::Embedded(folders) => folders.folder_record(id).await,
        }
    }

    /// Notes something about an extra folder; `false` when the same was noted before.
    pub(crate) async fn write_note(&self, id: &CageId, note: &FolderNote) -> Result<bool> {
        match self {
            Self::Docker(engine) => engine.write_note(id, note).await,
            Self::Embedded(folders) => folders.write_note(id, note).await,
        }
    }

    /// Removes a note about an extra folder; one that is gone already is no error.
    pub(crate) async fn remove_note(&self, id: &CageId, kind: NoteKind, place: &str) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.remove_note(id, kind, place).await,
            Self::Embedded(folders) => folders.remove_note(id, kind, place).await,
        }
    }

    /// Removes notes about folders of cages that are gone.
    pub(crate) async fn remove_lost_notes(&self) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.remove_lost_notes().await,
            // They lie in the folder of the cage, and go with it.
            Self::Embedded(_) => Ok(()),
        }
    }

    /// Starts a program with its streams attached.
    pub(crate) async fn exec(&self, id: &CageId, exec: Exec) -> Result<Running> {
        match self {
            Self::Docker(engine) => engine.exec(id, exec).await,
            Self::Embedded(folders) => folders.exec(id, exec),
        }
    }

    /// Opens a folder of a cage's home, or all of it, as an archive, running nothing in the cage; `None` without such a
    /// folder.
    pub(crate) async fn archive(&self, id: &CageId, folder: &str) -> Result<Option<Archive>> {
        match self {
            Self::Docker(engine) => {
                let home = self.layout(id).home().to_owned();
                let path = if folder.is_empty() { home } else { format!("{home}/{folder}") };
                engine.archive(id, &path).await
            }
            Self::Embedded(folders) => folders.archive(id, folder),
        }
    }

    /// Returns what a cage was created with.
    pub(crate) async fn origin(&self, id: &CageId) -> Result<Origin> {
        match self {
            Self::Docker(engine) => engine.origin(id).await,
            Self::Embedded(folders) => Ok(Origin {
                image: "embedded".to_owned(),
                folders: folders.folder_record(id).await?.folders(),
                labels: folders.labels(id).await?,
                ..Origin::default()
            }),
        }
    }

    /// Makes a snapshot of a container that is filled and does nothing.
    pub(crate) async fn commit(&self, id: &CageId, name: &CageName) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.commit(id, name).await,
            Self::Embedded(_) => Err(no_images()),
        }
    }

    /// Lists the snapshots.
    pub(crate) async fn snapshots(&self) -> Result<Vec<Snapshot>> {
        match self {
            Self::Docker(engine) => engine.snapshots().await,
            Self::Embedded(_) => Err(no_images()),
        }
    }

    /// Returns what the cage of a snapshot was created with, and the image to create another one from.
    pub(crate) async fn snapshot_origin(&self, name: &CageName) -> Result<(Origin, String)> {
        match self {
            Self::Docker(engine) => engine.snapshot_origin(name).await,
            Self::Embedded(_) => Err(no_images()),
        }
    }

    /// Removes a snapshot; one that is gone already is no error.
    pub(crate) async fn remove_snapshot(&self, name: &CageName) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.remove_snapshot(name).await,
            Self::Embedded(_) => Err(no_images()),
        }
    }

    /// Removes what was left of snapshots that nobody will finish.
    pub(crate) async fn remove_abandoned_images(&self) -> Result<()> {
        match self {
            Self::Docker(engine) => engine.remove_abandoned_images().await,
            Self::Embedded(_) => Ok(()),
        }
    }

    /// Starts a program with a terminal of its own. Beside an embedded cage there is one already, which it would need.
    pub(crate) async fn terminal(&self, id: &CageId, exec: Exec) -> Result<Terminal> {
        match self {
            Self::Docker(engine) => engine.terminal(id, exec).await,
            Self::Embedded(folders) => {
                let folder = folders.layout(id).cage_dir();
                let reason =
                    format!("an embedded cage is on this machine: TMUX_TMPDIR='{folder}' tmux attach");
                Err(RequestError::Invalid { what: "backend", reason }.into())
            }
        }
    }

    /// Returns where things lie inside a cage.
    pub(crate) fn layout(&self, id: &CageId) -> Layout {
        match self {
            Self::Docker(_) => Layout::container(),
            Self::Embedded(folders) => folders.layout(id),
        }
    }
}

fn no_images() -> Error {
    let reason = "it has no images and so no snapshots; fork the cage instead".to_owned();
    RequestError::Invalid { what: "use of the embedded backend", reason }.into()
}

fn no_pause() -> Error {
    let reason = "it runs plain processes, which it cannot hold; stop the cage instead".to_owned();
    RequestError::Invalid { what: "use of the embedded backend", reason }.into()
}
