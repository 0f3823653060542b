//! A creation that is under way, as its caller holds it.

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use super::create::Made;
use super::handle::Cage;
use super::progress::CreateEvent;
use super::shared::Shared;
use crate::error::{EngineError, Result};

/// A cage that is being created. [`Host::start_create`](crate::Host::start_create) begins it.
///
/// It goes on by itself, whether or not anybody looks at its events. Dropping it gives the creation up, and what was
/// made so far is removed in the background; [`Host::settled`](crate::Host::settled) waits for that.
///
/// ```no_run
/// use cage_host::{CageSpec, Host};
///
/// # async fn story() -> cage_host::Result<()> {
/// let host = Host::connect().await?;
/// let mut creation = host.start_create(CageSpec::from_dir("demo", "."));
/// while let Some(event) = creation.next().await {
///     println!("{event}");
/// }
/// let cage = creation.finish().await?;
/// # drop(cage);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a creation that is dropped is given up"]
pub struct Creation {
    pub(super) events: UnboundedReceiver<CreateEvent>,
    pub(super) made: oneshot::Receiver<Result<Made>>,
    /// Sent once the caller has the cage; dropped unsent, it undoes the creation.
    pub(super) keep: oneshot::Sender<()>,
    pub(super) shared: Shared,
}

impl Creation {
    /// Waits for the next event; `None` when there will be none, because the cage is done or creating it failed.
    /// [`Creation::finish`] tells which.
    pub async fn next(&mut self) -> Option<CreateEvent> {
        self.events.recv().await
    }

    /// Waits for the end and returns the cage. Events that were not asked for are dropped.
    ///
    /// # Errors
    /// Those of [`Host::create`](crate::Host::create). Once an error is returned, nothing of the cage is left, unless
    /// the engine failed in a way that [`Host::gc`](crate::Host::gc) has to mend.
    pub async fn finish(self) -> Result<Cage> {
        let reason = || "the task that creates the cage was ended".to_owned();
        let made = self
            .made
            .await
            .map_err(|_| EngineError::Lost { operation: "create the cage", reason: reason() })?;
        // From here to the return nothing is awaited: either the caller has the cage, or `keep` was dropped unsent.
        let _ = self.keep.send(());
        let made = made?;
        Ok(Cage::new(made.place, made.arrival, self.shared).with_folders(made.folders))
    }
}
