//! Starting a long-running program in a cage again when the connection to it is lost.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::Running;
use crate::error::{CageError, EngineError, Error, Result};

/// Waits between two attempts to connect, growing from the first to the second.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// How long connecting is tried again without success before it is given up: long enough for a restart of the engine or
/// of its machine.
const RETRY_FOR: Duration = Duration::from_secs(180);

/// How long a cage that is stopped or paused is waited for: a restart of its container takes a few seconds, and whoever
/// stopped it for good should not leave the consumer waiting.
const RESTART_FOR: Duration = Duration::from_secs(15);

/// Why a long-running program came to an end.
#[derive(Debug)]
pub(crate) enum End {
    /// Nobody wants more.
    Consumer,
    /// The connection broke; what it was is told when it cannot be mended.
    Lost(Error),
    /// Trying again would not help.
    Failed(Error),
}

/// How often and how long to try again.
#[derive(Debug)]
pub(crate) struct Retry {
    alive: Instant,
    /// Since when the cage was seen to be stopped or paused: an engine that was down before it is no part of that time.
    stopped: Option<Instant>,
    pause: Duration,
}

impl Retry {
    pub(crate) fn new() -> Self {
        Self { alive: Instant::now(), stopped: None, pause: RETRY_FIRST }
    }

    /// Takes note of a sign of life.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::new();
    }

    /// Waits until it is time to try again; an error means that it is not worth it, and nothing that nobody wants more.
    async fn after(&mut self, end: End) -> Result<Option<()>> {
        match end {
            End::Consumer => return Ok(None),
            End::Lost(ref error) if self.is_patient(error) => {}
            End::Lost(error) | End::Failed(error) => return Err(error),
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RETRY_LONGEST);
        Ok(Some(()))
    }

    /// Waits before connecting again, and says whether to. An error that ends it goes to the consumer.
    pub(crate) async fn goes_on<T>(&mut self, end: End, sender: &mpsc::Sender<Result<T>>) -> bool {
        match self.after(end).await {
            Ok(again) => again.is_some(),
            Err(error) => {
                // Nobody to hear it means nobody wants to know.
                let _ = sender.send(Err(error)).await;
                false
            }
        }
    }

    /// Says whether connecting is tried again although this stands in the way.
    fn is_patient(&mut self, error: &Error) -> bool {
        if let Error::Cage(CageError::NotRunning { .. }) = error {
            return self.stopped.get_or_insert_with(Instant::now).elapsed() < RESTART_FOR;
        }
        self.stopped = None;
        self.alive.elapsed() < RETRY_FOR
    }
}

impl End {
    /// Says whether connecting again can help.
    pub(crate) fn judge(error: Error) -> Self {
        match error {
            Error::Engine(
                EngineError::Lost { .. } | EngineError::TimedOut { .. } | EngineError::Unreachable { .. },
            )
            | Error::Cage(CageError::NotRunning { .. }) => Self::Lost(error),
            other => Self::Failed(other),
        }
    }

    /// Judges the end of a program that is meant to run for ever.
    pub(crate) async fn of(running: Running, operation: &'static str) -> Self {
        match running.exit().await {
            // A signal, also the one that ends a container.
            Ok(exit) if exit.code == 0 || exit.code > 128 => {
                let reason = "the program in the cage was ended".to_owned();
                Self::Lost(EngineError::Lost { operation, reason }.into())
            }
            Ok(exit) => exit.success(operation).map_or_else(Self::Failed, |()| Self::Consumer),
            Err(error) => Self::judge(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn lost() -> End {
        End::Lost(EngineError::Lost { operation: "look", reason: String::new() }.into())
    }

    fn stopped() -> End {
        End::Lost(CageError::NotRunning { operation: "look" }.into())
    }

    #[tokio::test(start_paused = true)]
    async fn waits_for_a_stopped_cage_from_when_it_was_seen_and_not_from_when_the_engine_went_away() {
        let mut retry = Retry::new();
        retry.after(lost()).await.unwrap();
        advance(RESTART_FOR * 2).await;
        retry.after(stopped()).await.unwrap();
        advance(RESTART_FOR).await;
        assert!(retry.after(stopped()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_an_engine_that_stays_away() {
        let mut retry = Retry::new();
        retry.after(lost()).await.unwrap();
        advance(RETRY_FOR).await;
        assert!(retry.after(lost()).await.is_err());
    }
}
