//! The state of a cage, kept as an image or given to another cage.
//!
//! A copy goes through an archive of the home and our own checks of it, never through the layers of the container: what
//! must not be copied is in no layer of what is made.

use std::time::{Duration, SystemTime};

use super::background::{Caller, given_up, in_the_background};
use super::handle::Cage;
use super::labels;
use super::lifecycle::CageState;
use super::name::CageName;
use super::origin::Origin;
use super::place::{Place, Still};
use super::shared::{Shared, Work};
use super::spec::PlannedCage;
use crate::backend::{Backend, Exec, Stdin};
use crate::error::{CageError, EngineError, RequestError, Result};
use crate::transfer::{Arrival, repack};
use cage_proto::env::{IdSource as _, System};

const FILL: &str = "copy the home of the cage";

/// Longest time for copying a home.
const FILL_DEADLINE: Duration = Duration::from_secs(1_800);

/// Puts an archive in the place of everything in the home `$1`.
const FILL_SCRIPT: &str = "set -e
trap 'code=$?; [ $code = 0 ] || head -c 65536 /dev/zero > \"$1/.probe\"; exit $code' EXIT
cd \"$1\"
find . -mindepth 1 -delete
tar --extract --no-same-owner --preserve-permissions --file=-";

/// A snapshot as [`Host::snapshots`](crate::Host::snapshots) lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Its name.
    pub name: CageName,
    /// The cage that it was made of.
    pub cage: String,
    /// When it was made, by the clock of the engine, to the second.
    pub created: SystemTime,
    /// What it takes on the disk, in bytes; most of that it shares with the image of the cage.
    pub bytes: u64,
}

/// What a copy is made of, and how it is named.
pub(crate) struct Copying {
    pub(crate) backend: Backend,
    pub(crate) from: Place,
    pub(crate) name: CageName,
}

impl Copying {
    /// Makes an image of the cage.
    pub(crate) async fn snapshot(self, running: Work) -> Result<Snapshot> {
        let snapshots = self.backend.snapshots().await?;
        if snapshots.iter().any(|snapshot| snapshot.name == self.name) {
            return Err(RequestError::SnapshotExists { name: self.name.to_string() }.into());
        }
        let origin = self.backend.origin(&self.from.id).await?;
        let unique = System.next_id().to_string().replace('-', "");
        let helper = CageName::new(format!("snapshot-{unique}"));
        let helper = helper.map_err(RequestError::from)?;
        let kept = serde_json::to_string(&origin)
            .map_err(|error| EngineError::Refused { operation: FILL, reason: error.to_string() })?;
        let mut plan = self.plan(origin, &helper)?;
        // An image has the labels of the container that it is made of.
        plan.labels.insert(labels::ROLE.to_owned(), labels::SNAPSHOT_ROLE.to_owned());
        plan.labels.insert(labels::ORIGIN.to_owned(), kept);
        let (backend, name) = (self.backend.clone(), self.name.clone());
        let work = async move |mut caller: Caller| (self.commit(&plan, &mut caller).await, caller);
        in_the_background(FILL, running, work, async move |_| backend.remove_snapshot(&name).await).await
    }

    /// Fills a helper and makes an image of it.
    async fn commit(&self, plan: &PlannedCage, caller: &mut Caller) -> Result<Snapshot> {
        let helper = self.begin(plan).await?;
        let made = match caller.while_waiting(self.fill(&helper)).await {
            // From here on it takes as long as it takes: the engine would go on anyway.
            Some(Ok(())) => self.backend.commit(&helper.id, &self.name).await,
            Some(Err(error)) => Err(error),
            None => Err(given_up(FILL)),
        };
        let made = helper.remove().await.and(made);
        let found = match made {
            Ok(()) => self.backend.snapshots().await,
            Err(error) => Err(error),
        };
        let found = found.map(|all| all.into_iter().find(|found| found.name == self.name));
        match found {
            Ok(Some(snapshot)) => Ok(snapshot),
            other => {
                // The error that is already there says more than one about cleaning up.
                let _ = self.backend.remove_snapshot(&self.name).await;
                let name = self.name.to_string();
                Err(other.err().unwrap_or_else(|| RequestError::NoSuchSnapshot { name }.into()))
            }
        }
    }

    /// Makes another cage of the cage.
    pub(crate) async fn fork(self, shared: Shared) -> Result<Cage> {
        let origin = self.backend.origin(&self.from.id).await?;
        let plan = self.plan(origin, &self.name)?;
        let work = async move |mut caller: Caller| (self.fork_home(&plan, &mut caller).await, caller);
        let place =
            in_the_background(FILL, shared.begin_work(), work, async |place: Place| place.remove().await)
                .await?;
        Ok(Cage::new(place, Arrival::default(), shared))
    }

    async fn fork_home(&self, plan: &PlannedCage, caller: &mut Caller) -> Result<Place> {
        let place = self.begin(plan).await?;
        let filled = caller.while_waiting(async {
            self.fill(&place).await?;
            place.finish().await
        });
        let filled = filled.await;
        kept_or_removed(filled, place).await
    }

    fn plan(&self, origin: Origin, name: &CageName) -> Result<PlannedCage> {
        let image = origin.image.clone();
        let mut plan = origin.plan(name.as_str(), image)?;
        plan.labels.insert(labels::PAUSES.to_owned(), self.from.id.as_str().to_owned());
        Ok(plan)
    }

    async fn begin(&self, plan: &PlannedCage) -> Result<Place> {
        let id = self.backend.create(plan).await?;
        Ok(Place::new(plan.name.clone(), id, self.backend.clone()))
    }

    /// Copies the home, while the programs of the cage are held.
    async fn fill(&self, to: &Place) -> Result<()> {
        to.start().await?;
        let pauses = self.from.can_pause() && self.from.state().await? == CageState::Running;
        if pauses {
            self.from.pause().await?;
        }
        let hold = Hold(pauses.then(|| self.from.clone()));
        let copied = copy_home(&self.from, to).await;
        let released = hold.release().await;
        copied.and(released)
    }
}

/// Makes a cage of a snapshot.
pub(crate) async fn fork_snapshot(
    backend: Backend,
    snapshot: &str,
    name: CageName,
    shared: Shared,
) -> Result<Cage> {
    let snapshot = CageName::new(snapshot).map_err(RequestError::from)?;
    let (origin, image) = backend.snapshot_origin(&snapshot).await?;
    let plan = origin.plan(name.as_str(), image)?;
    let work = async move |mut caller: Caller| (start(backend, plan, &mut caller).await, caller);
    let place =
        in_the_background(FILL, shared.begin_work(), work, async |place: Place| place.remove().await).await?;
    Ok(Cage::new(place, Arrival::default(), shared))
}

async fn start(backend: Backend, plan: PlannedCage, caller: &mut Caller) -> Result<Place> {
    let id = backend.create(&plan).await?;
    let place = Place::new(plan.name, id, backend);
    let started = caller.while_waiting(async {
        place.start().await?;
        place.finish().await
    });
    let started = started.await;
    kept_or_removed(started, place).await
}

/// Lets a paused cage go on, also when what it was paused for is given up.
struct Hold(Option<Place>);

impl Hold {
    async fn release(mut self) -> Result<()> {
        match self.0.take() {
            Some(place) => place.unpause().await,
            None => Ok(()),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(place) = self.0.take() {
            // The work was given up in the middle, within a runtime.
            tokio::spawn(async move { place.unpause().await });
        }
    }
}

async fn copy_home(from: &Place, to: &Place) -> Result<()> {
    let since = from.written_since().await?.first();
    let archive = from.archive("").await?.ok_or(CageError::Gone { operation: FILL })?;
    let home = repack(archive, Still { since });
    let argv = ["sh", "-c", FILL_SCRIPT, "sh", to.layout.home()];
    let exec = Exec::new(FILL, argv, FILL_DEADLINE).stdin(Stdin::Stream(home.stream));
    let unpacked = match to.exec(exec).await {
        Ok(running) => running.success().await,
        Err(error) => Err(error),
    };
    let read =
        home.done.await.map_err(|error| EngineError::Lost { operation: FILL, reason: error.to_string() })?;
    // Whoever failed first closed the pipe between the two; an unpacker that failed knows why.
    unpacked.and(read)
}

async fn kept_or_removed(made: Option<Result<()>>, place: Place) -> Result<Place> {
    let error = match made {
        Some(Ok(())) => return Ok(place),
        Some(Err(error)) => error,
        None => given_up(FILL),
    };
    // Removed before it is reported: once the caller sees the error, nothing is left.
    let _ = place.remove().await;
    Err(error)
}
