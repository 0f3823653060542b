//! The cage itself.

use std::path::Path;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::launch::launch;
use super::name::CageName;
use super::place::Place;
use super::task::Task;
use crate::error::{RequestError, Result};
use crate::mailbox::{CursorStore, Inbox, Outbox};
use crate::transfer::{self, Arrival, Changes, Export, ExportOptions};

/// A cage that exists. Dropping the handle leaves it running; [`Cage::destroy`] ends it.
#[derive(Debug)]
pub struct Cage {
    place: Place,
    arrival: Arrival,
    cursors: Arc<dyn CursorStore>,
}

impl Cage {
    pub(crate) fn new(place: Place, arrival: Arrival, cursors: Arc<dyn CursorStore>) -> Self {
        Self { place, arrival, cursors }
    }

    /// Returns the cage's name.
    pub fn name(&self) -> &CageName {
        &self.place.name
    }

    /// Returns what was sent in when this handle created the cage; all zeros on a handle to one that was found.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Starts an agent on a task and returns once it is under way.
    ///
    /// The agent runs under `cage-poll supervise`, so it needs this program no more: it reports a crash by itself,
    /// waits for revisions and resumes.
    ///
    /// # Errors
    /// - [`RequestError::NoCredential`](crate::RequestError::NoCredential) when the agent could not sign in,
    ///   [`RequestError::Invalid`](crate::RequestError::Invalid) for a prompt or a limit that makes no sense.
    /// - [`CageError`](crate::CageError) when the agent or `cage-poll` is missing, or the cage's disk is full.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn launch(&self, task: Task) -> Result<()> {
        launch(&self.place, &task).await
    }

    /// Returns the mailbox that the agent writes.
    pub fn outbox(&self) -> Outbox {
        Outbox::new(self.place.clone(), Arc::clone(&self.cursors))
    }

    /// Returns the mailbox that the agent reads.
    pub fn inbox(&self) -> Inbox {
        Inbox::new(self.place.clone())
    }

    /// Compares the project in the cage with a folder of the host, usually the one that it was created from.
    ///
    /// `.gitignore` files of both sides are respected, as data: a file that only the cage has and either side ignores
    /// is no part of the project. No git runs. Only what differs is read out of the cage.
    ///
    /// # Errors
    /// - [`RequestError::Project`] when the folder cannot be read, [`IoError`](crate::IoError) when something in it
    ///   cannot, or the disk for temporary files is full.
    /// - [`CageError`](crate::CageError) when the cage is gone, answers nonsense, or sends more than the limits allow.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn diff(&self, dir: impl AsRef<Path>) -> Result<Changes> {
        transfer::diff(&self.place, dir.as_ref()).await
    }

    /// Writes changes into a folder, adding and replacing files but deleting none, and nothing that is held back.
    ///
    /// What is written is what [`Cage::diff`] read. A missing folder is created, and removed again on failure.
    ///
    /// # Errors
    /// - [`RequestError::ForeignChanges`] when the changes come from another cage.
    /// - [`IoError`](crate::IoError) when something cannot be written, for example because the disk is full; each
    ///   file is then either the old or the new one.
    pub async fn export(&self, dir: impl AsRef<Path>, changes: &Changes) -> Result<Export> {
        self.export_with(dir, changes, ExportOptions::default()).await
    }

    /// Writes changes into a folder like [`Cage::export`], with more allowed.
    ///
    /// # Errors
    /// Like [`Cage::export`].
    pub async fn export_with(
        &self,
        dir: impl AsRef<Path>,
        changes: &Changes,
        options: ExportOptions,
    ) -> Result<Export> {
        if *changes.cage() != self.place.name {
            let (from, asked) = (changes.cage().to_string(), self.place.name.to_string());
            return Err(RequestError::ForeignChanges { from, asked }.into());
        }
        transfer::export(changes, dir.as_ref(), options).await
    }

    /// Removes the cage with everything in it. One that is gone already is no error.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine does not answer or refuses; the cage may then still exist.
    pub async fn destroy(self) -> Result<()> {
        self.place.remove().await?;
        let prefix = self.place.cursor_prefix();
        // A cursor that stays behind is never used again, since no later cage has its key.
        let _ = spawn_blocking(move || self.cursors.forget(&prefix)).await;
        Ok(())
    }
}
