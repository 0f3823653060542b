//! The cage itself.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::launch::launch;
use super::name::CageName;
use super::place::Place;
use super::task::Task;
use crate::error::Result;
use crate::mailbox::{CursorStore, Inbox, Outbox};
use crate::transfer::Arrival;

/// A cage that exists. Dropping the handle leaves it running; [`Cage::destroy`] ends it.
#[derive(Debug)]
pub struct Cage {
    pub(super) place: Place,
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
