//! A cage's status whenever it changes: one long-running program in the cage.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::probe::Looks;
use super::script::{self, LOOK_AT_LEAST_EVERY};
use super::status::Status;
use crate::backend::{End, Retry};
use crate::cage::Place;
use crate::error::{CageError, Result};

const FOLLOW: &str = "follow the agent's status";

/// Longest silence of the program in the cage: two of its looks have been missed.
const MAX_SILENCE: Duration = Duration::from_secs(LOOK_AT_LEAST_EVERY.as_secs() * 5 / 2);

/// Looks that wait for the consumer.
const LOOKS_IN_FLIGHT: usize = 4;

/// What a cage does, whenever it changes. Dropping it ends the program in the cage.
#[derive(Debug)]
pub struct StatusFollower {
    statuses: mpsc::Receiver<Result<Status>>,
    task: JoinHandle<()>,
}

impl StatusFollower {
    pub(crate) fn start(place: Place) -> Self {
        let (sender, statuses) = mpsc::channel(LOOKS_IN_FLIGHT);
        Self { statuses, task: tokio::spawn(run(place, sender)) }
    }

    /// Waits for the next status; it can be dropped at any time without losing one. After an error nothing follows.
    ///
    /// The first comes at once, the next within a second of a change while the cage is busy and within ten seconds
    /// after a long calm, at most one in three seconds, and at least one a minute.
    ///
    /// # Errors
    /// - [`CageError::Gone`] when the cage was destroyed, [`CageError::NotRunning`] when it was stopped or paused and
    ///   not started again within 15 s.
    /// - [`CageError`] when what it says of itself comes to nothing.
    /// - [`EngineError`](crate::EngineError) when the engine was not reachable for three minutes.
    pub async fn next(&mut self) -> Option<Result<Status>> {
        self.statuses.recv().await
    }
}

impl Drop for StatusFollower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(place: Place, sender: mpsc::Sender<Result<Status>>) {
    let mut retry = Retry::new();
    loop {
        let (read, end) = read_until_end(&place, &sender).await;
        if read {
            retry.succeeded();
        }
        if !retry.goes_on(end, &sender).await {
            return;
        }
    }
}

/// Connects and reads; says also whether the program in the cage gave any sign of life.
async fn read_until_end(place: &Place, sender: &mpsc::Sender<Result<Status>>) -> (bool, End) {
    let mut running = match place.exec(script::follow(FOLLOW, &place.layout, MAX_SILENCE)).await {
        Ok(running) => running,
        Err(error) => return (false, End::judge(error)),
    };
    let (mut looks, mut read) = (Looks::default(), false);
    loop {
        let look = tokio::select! {
            look = timeout(MAX_SILENCE, looks.next(&mut running)) => look,
            () = sender.closed() => return (read, End::Consumer),
        };
        let status = match look {
            Ok(Ok(Some(snapshot))) => Status::of(&snapshot),
            Ok(Ok(None)) => return (read, End::of(running, FOLLOW).await),
            Ok(Err(error)) => return (read, End::judge(error)),
            Err(_) => {
                let error = CageError::TimedOut { operation: FOLLOW, after: MAX_SILENCE };
                return (read, End::Lost(error.into()));
            }
        };
        read = true;
        if sender.send(Ok(status)).await.is_err() {
            return (read, End::Consumer);
        }
    }
}
