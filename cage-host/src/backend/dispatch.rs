//! The two backends behind one enum.

use std::time::SystemTime;

use bytes::Bytes;
use futures_util::stream::BoxStream;

use crate::backend::{Exec, Layout, Running};
use crate::cage::{CageName, CageState, PlannedCage, Unfinished};
use crate::docker::Engine;
use crate::error::{Error, RequestError, Result};
use crate::local::Folders;

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
}

/// An archive as it comes.
pub(crate) type Archive = BoxStream<'static, Result<Bytes>>;

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

    /// Makes an empty cage that is not started and marked as unfinished.
    pub(crate) async fn create(&self, plan: &PlannedCage) -> Result<CageId> {
        match self {
            Self::Docker(engine) => engine.create_container(plan).await,
            Self::Embedded(folders) => folders.create(&plan.name).await,
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
            Self::Docker(engine) => engine.remove_container(id).await,
            Self::Embedded(folders) => folders.remove(id).await,
        }
    }

    /// Lists the cages, or the one of a name.
    pub(crate) async fn list(&self, name: Option<&CageName>, sizes: bool) -> Result<Vec<Found>> {
        match self {
            Self::Docker(engine) => engine.list_containers(name, sizes).await,
            Self::Embedded(folders) => folders.list(name, sizes).await,
        }
    }

    /// Starts a program with its streams attached.
    pub(crate) async fn exec(&self, id: &CageId, exec: Exec) -> Result<Running> {
        match self {
            Self::Docker(engine) => engine.exec(id, exec).await,
            Self::Embedded(folders) => folders.exec(id, exec),
        }
    }

    /// Opens a folder of a cage's home as an archive, without running anything in the cage; `None` without such a
    /// folder.
    pub(crate) async fn archive(&self, id: &CageId, folder: &str) -> Result<Option<Archive>> {
        match self {
            Self::Docker(engine) => engine.archive(id, &format!("{}/{folder}", self.layout(id).home())).await,
            Self::Embedded(folders) => folders.archive(id, folder),
        }
    }

    /// Returns when a cage was created, in seconds since 1970.
    pub(crate) async fn created(&self, id: &CageId) -> Result<i64> {
        match self {
            Self::Docker(engine) => engine.container_created(id).await,
            // An archive of whole seconds would hide what was written within the first one.
            Self::Embedded(_) => Ok(0),
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

fn no_pause() -> Error {
    let reason = "it runs plain processes, which it cannot hold; stop the cage instead".to_owned();
    RequestError::Invalid { what: "use of the embedded backend", reason }.into()
}
