//! All cages, and what each does, whenever that changes.
//!
//! The engine says when a container starts, stops or goes; one program in each running cage says when anything changes
//! there. So nothing is asked while nothing happens, but for one list a minute in case the engine forgot to say
//! something.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::follow::StatusFollower;
use super::overview::{LOOKS_AT_ONCE, in_turn, still};
use super::status::Status;
use crate::backend::{Backend, Changes, Found};
use crate::cage::{CageName, CageState, Place};
use crate::error::{CageError, EngineError, Error, Result};
use crate::host::{CageSummary, summaries};

/// Time between two lists while the engine says what changes.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// Time between two lists while it does not.
const LIST_OFTEN: Duration = Duration::from_secs(2);

/// How long after a change the next ones are waited for: a restart is four of them.
const SETTLE: Duration = Duration::from_millis(200);

/// Time until a cage that could not be looked into is looked into again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Events that wait for the consumer.
const EVENTS_IN_FLIGHT: usize = 64;

const WATCH: &str = "watch the cages";

/// Something that [`FleetWatch::next`] tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum FleetEvent {
    /// The cages that there are now, by name.
    Cages(Vec<CageSummary>),
    /// What a cage does now, or why that cannot be found out for the time being.
    Status {
        /// The cage.
        name: CageName,
        /// What it does.
        status: Result<Status>,
    },
    /// The cages could not be listed, and it is tried again; or, before the end, watching them failed.
    Failed(Error),
}

/// All cages and what they do. Dropping it ends its programs in the cages.
#[derive(Debug)]
pub struct FleetWatch {
    events: mpsc::Receiver<FleetEvent>,
    /// `None` once its end has been told.
    task: Option<JoinHandle<()>>,
}

impl FleetWatch {
    /// Waits for the next event; it can be dropped at any time without losing one.
    ///
    /// The list of cages comes first, then it comes whenever it is another one. A status comes for each cage at first,
    /// and for a running one as [`StatusFollower::next`] says. It goes on for ever: nothing but a panic, also one of
    /// the function that says which cages are wanted, makes it end, with [`FleetEvent::Failed`] and then `None`.
    pub async fn next(&mut self) -> Option<FleetEvent> {
        if let Some(event) = self.events.recv().await {
            return Some(event);
        }
        let ended = self.task.as_mut()?.await;
        self.task = None;
        let reason = ended.err().map_or_else(|| "its task has ended".to_owned(), |error| error.to_string());
        Some(FleetEvent::Failed(EngineError::Lost { operation: WATCH, reason }.into()))
    }
}

impl Drop for FleetWatch {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Which cages are watched.
type Wanted = Box<dyn Fn(&CageName) -> bool + Send + Sync>;

/// Begins to watch all cages whose names are wanted.
pub(crate) fn watch(backend: Backend, wanted: Wanted) -> FleetWatch {
    let (sender, events) = mpsc::channel(EVENTS_IN_FLIGHT);
    let watching = Watching {
        backend,
        wanted,
        sender,
        starts: Arc::new(Semaphore::new(LOOKS_AT_ONCE)),
        members: HashMap::new(),
        told: None,
    };
    FleetWatch { events, task: Some(tokio::spawn(watching.run())) }
}

/// The task behind a [`FleetWatch`].
struct Watching {
    backend: Backend,
    wanted: Wanted,
    sender: mpsc::Sender<FleetEvent>,
    /// Programs that are being started.
    starts: Arc<Semaphore>,
    members: HashMap<String, Member>,
    told: Option<Vec<CageSummary>>,
}

/// A cage that is watched.
struct Member {
    state: CageState,
    /// What looks into it, while it runs.
    _look: Option<Look>,
}

/// A task that ends with its handle.
struct Look(JoinHandle<()>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watching {
    async fn run(mut self) {
        let mut changes = self.backend.changes();
        // Nobody says when the engine begins to tell, so the first list is soon followed by another.
        let mut wait = LIST_OFTEN;
        loop {
            match self.backend.list_with_folders(false).await {
                Ok(found) => self.take(found).await,
                Err(error) => self.tell(FleetEvent::Failed(error)).await,
            }
            if self.sender.is_closed() {
                return;
            }
            wait = match next_change(&mut changes, wait).await {
                Change::Told | Change::Nothing => LIST_EVERY,
                Change::Unknown => {
                    sleep(LIST_OFTEN).await;
                    changes = self.backend.changes();
                    LIST_OFTEN
                }
            };
        }
    }

    /// Takes note of the cages that there are.
    async fn take(&mut self, found: Vec<Found>) {
        let found: Vec<_> = found.into_iter().filter(|found| (self.wanted)(&found.name)).collect();
        let cages = summaries(found.clone());
        if self.told.as_ref() != Some(&cages) {
            self.told = Some(cages.clone());
            self.tell(FleetEvent::Cages(cages)).await;
        }
        self.members.retain(|id, _| found.iter().any(|found| found.id.as_str() == id));
        for found in found.into_iter().filter(|found| found.unfinished.is_none()) {
            self.take_one(found).await;
        }
    }

    async fn take_one(&mut self, found: Found) {
        let id = found.id.as_str().to_owned();
        if self.members.get(&id).is_some_and(|member| member.state == found.state) {
            return;
        }
        let (name, state) = (found.name.clone(), found.state);
        let look = match still(state) {
            Some(activity) => {
                let status = Ok(Status::without_look(activity));
                self.tell(FleetEvent::Status { name, status }).await;
                None
            }
            None => Some(self.look(Place::new(name, found.id, self.backend.clone()))),
        };
        self.members.insert(id, Member { state, _look: look });
    }

    fn look(&self, place: Place) -> Look {
        Look(tokio::spawn(look(place, Arc::clone(&self.starts), self.sender.clone())))
    }

    async fn tell(&self, event: FleetEvent) {
        // Nobody to hear it means nobody wants to know.
        let _ = self.sender.send(event).await;
    }
}

/// Follows one cage until it is given up.
async fn look(place: Place, starts: Arc<Semaphore>, sender: mpsc::Sender<FleetEvent>) {
    loop {
        let mut follower = StatusFollower::start(place.clone());
        let mut next = in_turn(&starts, follower.next()).await;
        while let Some(status) = next {
            // The list says so, and better.
            let is_told =
                matches!(status, Err(Error::Cage(CageError::Gone { .. } | CageError::NotRunning { .. })));
            let event = FleetEvent::Status { name: place.name.clone(), status };
            if !is_told && sender.send(event).await.is_err() {
                return;
            }
            next = follower.next().await;
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// What the wait for a change came to.
enum Change {
    Told,
    Nothing,
    /// Nobody says what changes.
    Unknown,
}

/// Waits for a change and for those that come with it, no longer than so long.
async fn next_change(changes: &mut Changes, wait: Duration) -> Change {
    match timeout(wait, changes.next()).await {
        Err(_) => Change::Nothing,
        Ok(None | Some(Err(_))) => Change::Unknown,
        Ok(Some(Ok(()))) => {
            let more = async { while let Some(Ok(())) = changes.next().await {} };
            // A stream that ends here ends at the next wait, too.
            let _ = timeout(SETTLE, more).await;
            Change::Told
        }
    }
}
