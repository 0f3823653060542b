//! Work that is undone when its caller goes away in the middle of it.

use tokio::sync::oneshot;

use super::shared::Work;
use crate::error::{EngineError, Error, Result};

/// The error of work that nobody waits for.
pub(super) fn given_up(operation: &'static str) -> Error {
    EngineError::Lost { operation, reason: "nobody waits for it any more".to_owned() }.into()
}

/// The caller of a piece of work, which can go away: a dropped future, a time-out, Ctrl-C.
pub(super) struct Caller(oneshot::Receiver<()>);

impl Caller {
    /// Awaits some work unless the caller goes away.
    pub(super) async fn while_waiting<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            _ = &mut self.0 => None,
        }
    }
}

/// Runs work in a task of its own, and undoes what it made when its caller has gone away meanwhile.
///
/// `running` is held until the task has ended, cleaning up included.
pub(super) async fn in_the_background<T, W, U>(
    operation: &'static str,
    running: Work,
    work: impl FnOnce(Caller) -> W,
    undo: impl FnOnce(T) -> U + Send + 'static,
) -> Result<T>
where
    T: Clone + Send + 'static,
    W: Future<Output = (Result<T>, Caller)> + Send + 'static,
    U: Future<Output = Result<()>> + Send,
{
    let (report, made) = oneshot::channel();
    let (keep, kept) = oneshot::channel();
    let work = work(Caller(kept));
    tokio::spawn(async move {
        match work.await {
            (Ok(made), caller) => {
                if report.send(Ok(made.clone())).is_err() || caller.0.await.is_err() {
                    // Nobody is there to hear an error; a later listing shows what could not be removed.
                    let _ = undo(made).await;
                }
            }
            (Err(error), _) => drop(report.send(Err(error))),
        }
        drop(running);
    });
    let ended = |_| EngineError::Lost { operation, reason: "the task was ended".to_owned() };
    let made = made.await.map_err(ended)?;
    // From here to the return nothing is awaited: either the caller has it, or `keep` was dropped unsent.
    let _ = keep.send(());
    made
}
