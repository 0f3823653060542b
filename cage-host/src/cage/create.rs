//! From a spec to a cage, or to nothing at all.
//!
//! Creating runs in a task of its own: a caller that gives up (a dropped future, a time-out, Ctrl-C) would otherwise
//! leave a half-made container. The task sees that nobody waits any more and removes what it made.

use tokio::sync::oneshot;

use super::creation::Creation;
use super::fill::fill;
use super::place::Place;
use super::progress::{CreateEvent, Reporter};
use super::shared::Shared;
use super::spec::{CageSpec, PlannedCage};
use crate::backend::Backend;
use crate::error::Result;
use crate::transfer::Arrival;

/// A cage with what was sent into it.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) place: Place,
    pub(crate) arrival: Arrival,
    /// The same for each extra folder, by its name.
    pub(crate) folders: Vec<(String, Arrival)>,
}

/// Begins to make a cage; whatever happens before the caller has it in hands, it is removed again.
pub(crate) fn start_create(backend: Backend, spec: CageSpec, shared: Shared) -> Creation {
    let (report, made) = oneshot::channel();
    let (keep, kept) = oneshot::channel();
    let (reporter, events) = Reporter::new();
    let work = shared.begin_work();
    tokio::spawn(async move {
        make_or_undo(backend, spec, reporter, report, kept).await;
        drop(work);
    });
    Creation { events, made, keep, shared }
}

async fn make_or_undo(
    backend: Backend,
    spec: CageSpec,
    mut reporter: Reporter,
    report: oneshot::Sender<Result<Made>>,
    mut kept: oneshot::Receiver<()>,
) {
    let (place, plan) = match begin(backend, spec, &mut reporter).await {
        Ok(begun) => begun,
        Err(error) => return drop(report.send(Err(error))),
    };
    let filled = tokio::select! {
        filled = fill(&place, plan, &mut reporter) => Some(filled),
        _ = &mut kept => None,
    };
    // Its end is the end of the events, which the caller may wait for before it takes the cage.
    drop(reporter);
    let undo = match filled {
        Some(Ok(made)) => report.send(Ok(made)).is_err() || kept.await.is_err(),
        Some(Err(error)) => {
            // Removed before it is reported: once the caller sees the error, nothing is left.
            let _ = place.remove().await;
            drop(report.send(Err(error)));
            false
        }
        None => true,
    };
    if undo {
        // Nobody is there to hear an error; the labels let a later run find what could not be removed.
        let _ = place.remove().await;
    }
}

/// Checks the wish and makes an empty cage that is not started.
async fn begin(backend: Backend, spec: CageSpec, reporter: &mut Reporter) -> Result<(Place, PlannedCage)> {
    reporter.say(CreateEvent::Checking);
    let plan = spec.plan()?;
    backend.check_abilities(&plan).await?;
    if let Some(what) = backend.unlimited() {
        reporter.say(CreateEvent::Unlimited { what: what.to_owned() });
    }
    let id = backend.create(&plan).await?;
    reporter.say(CreateEvent::ContainerCreated);
    Ok((Place::new(plan.name.clone(), id, backend), plan))
}
