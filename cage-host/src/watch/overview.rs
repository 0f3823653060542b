//! The status of every cage in one call.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::probe::{self, STATUS};
use super::status::{Activity, Status};
use crate::backend::{Backend, Found};
use crate::cage::{CageState, Place};
use crate::error::{CageError, Result};
use crate::host::CageSummary;

/// Looks at the same time. Each is one program in a cage, and starting one is work for the engine.
pub(super) const LOOKS_AT_ONCE: usize = 8;

/// How long a look counts as one of [`LOOKS_AT_ONCE`]. One that takes longer hangs, costs nothing, and goes on beside
/// the others.
pub(super) const PLACE_HELD: Duration = Duration::from_secs(2);

/// A cage, and what it does.
#[derive(Debug)]
#[non_exhaustive]
pub struct CageStatus {
    /// The cage as [`Host::list`](crate::Host::list) shows it.
    pub cage: CageSummary,
    /// What it does, or why that could not be found out.
    pub status: Result<Status>,
}

/// Looks into every cage, each no longer than `deadline`.
pub(crate) async fn statuses(backend: &Backend, deadline: Duration) -> Result<Vec<CageStatus>> {
    let places = Arc::new(Semaphore::new(LOOKS_AT_ONCE));
    let found = backend.list_with_folders(false).await?;
    let looks = found.into_iter().map(|found| one(backend.clone(), found, Arc::clone(&places), deadline));
    let mut statuses = join_all(looks).await;
    statuses.sort_by(|a, b| a.cage.name.cmp(&b.cage.name));
    Ok(statuses)
}

async fn one(backend: Backend, found: Found, places: Arc<Semaphore>, deadline: Duration) -> CageStatus {
    let status = if let Some(activity) = still(found.state) {
        Ok(Status::without_look(activity))
    } else {
        let place = Place::new(found.name.clone(), found.id.clone(), backend);
        let look = timeout(deadline, Box::pin(probe::status(&place)));
        let late = CageError::TimedOut { operation: STATUS, after: deadline };
        in_turn(&places, look).await.unwrap_or(Err(late.into()))
    };
    CageStatus { cage: found.into(), status }
}

/// Awaits something when it is its turn.
pub(super) async fn in_turn<T>(places: &Semaphore, work: impl Future<Output = T>) -> T {
    // The semaphore is never closed, so waiting cannot fail.
    let turn = places.acquire().await;
    let mut work = std::pin::pin!(work);
    if let Ok(done) = timeout(PLACE_HELD, &mut work).await {
        return done;
    }
    drop(turn);
    work.await
}

/// Says what a cage does whose container says it all; nothing for one that has to be looked into.
pub(super) fn still(state: CageState) -> Option<Activity> {
    match state {
        CageState::Running => None,
        CageState::Paused => Some(Activity::Paused),
        CageState::Created | CageState::Stopped | CageState::Dead => Some(Activity::Stopped),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn lets_the_others_pass_a_look_that_hangs() {
        let (places, done) = (Semaphore::new(1), AtomicUsize::new(0));
        let stuck = timeout(Duration::from_secs(60), in_turn(&places, std::future::pending::<()>()));
        let quick = in_turn(&places, async { done.fetch_add(1, Ordering::Relaxed) });
        let (given_up, ()) = tokio::join!(stuck, async {
            timeout(PLACE_HELD * 2, quick).await.unwrap();
        });
        assert!(given_up.is_err());
        assert_eq!(done.into_inner(), 1);
    }
}
