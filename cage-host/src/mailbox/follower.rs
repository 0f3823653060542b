//! Following an outbox: one long-running program in the cage, started again when the connection to it is lost.

use std::sync::Arc;
use std::time::Duration;

use cage_proto::mailbox::{EntryName, Mailbox};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::cursor_store::CursorStore;
use super::delivery::{Delivery, Shared};
use super::ledger::Ledger;
use super::line::{Line, LineBuffer, MAX_LINE_BYTES};
use super::polling;
use crate::backend::{Chunk, End, Exec, Retry, Running, Stdin};
use crate::cage::Place;
use crate::error::{CageError, Error, Result};

pub(super) const FOLLOW: &str = "follow the outbox";

/// Longest silence of a follower. It gives a sign of life every 30 s, so three of them have been missed.
const MAX_SILENCE: Duration = Duration::from_secs(100);

/// Messages that wait for the consumer; more stay in the cage.
const DELIVERIES_IN_FLIGHT: usize = 16;

/// Longest line of the follower's error output that is understood, in bytes.
const MAX_REMARK_BYTES: usize = 4 * 1024;

/// What `cage-poll --since` calls the place before the first message.
const BEGINNING: &str = "beginning";

/// Ends the follower when the host goes away. The engine keeps a program's output open for ever, but closes its input
/// with the connection; so a watcher waits for that end. `$$` is the follower, which takes the shell's place.
const FOLLOW_SCRIPT: &str = "exec 3<&0
{ cat <&3; kill \"$$\"; } >/dev/null 2>&1 &
exec cage-poll --follow \"$@\" 3<&- </dev/null";

/// What an exec answers for a program that is there and cannot be run, made for another machine for example.
const EXIT_CANNOT_RUN: i64 = 126;

/// The program that pushes messages.
const FOLLOW_PROGRAM: &str = "cage-poll";

/// The messages of an outbox, as they come.
///
/// In a cage without a working `cage-poll` it looks into the outbox by the schedule instead: every 10 s for the first
/// 15 minutes after a message, 30 s up to an hour, then 60 s. It says so once as a [`Content::Notice`](super::Content).
///
/// Dropping it ends the program in the cage. What was delivered but not acknowledged is delivered again to the next
/// follower of the same consumer.
#[derive(Debug)]
pub struct Follower {
    deliveries: mpsc::Receiver<Result<Delivery>>,
    task: JoinHandle<()>,
}

impl Follower {
    pub(super) fn start(reading: Reading) -> Self {
        let (sender, deliveries) = mpsc::channel(DELIVERIES_IN_FLIGHT);
        Self { deliveries, task: tokio::spawn(reading.run(sender)) }
    }

    /// Waits for the next delivery; it can be dropped at any time without losing one. After an error nothing follows.
    ///
    /// # Errors
    /// - [`CageError::Gone`] when the cage was destroyed, [`CageError::NotRunning`] when it was stopped or paused and
    ///   not started again within 15 s.
    /// - [`CageError::ProgramMissing`] or [`CageError::Exited`] when the image has neither a working `cage-poll` nor
    ///   `sh`, `find` and `tar`.
    /// - [`EngineError`](crate::EngineError) when the engine was not reachable for three minutes.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        self.deliveries.recv().await
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The task behind a [`Follower`].
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) place: Place,
    pub(super) shared: Arc<Shared>,
}

impl Reading {
    pub(super) fn new(place: Place, ledger: Ledger, store: Arc<dyn CursorStore>, key: String) -> Self {
        Self { place, shared: Arc::new(Shared::new(ledger, store, key)) }
    }

    async fn run(self, sender: mpsc::Sender<Result<Delivery>>) {
        let mut retry = Retry::new();
        let mut pushes = true;
        loop {
            let (read, mut end) = if pushes {
                self.read_until_end(&sender).await
            } else {
                polling::look_until_end(&self, &sender).await
            };
            if read {
                retry.succeeded();
            }
            if let (true, End::Failed(error)) = (pushes, &end)
                && cannot_push(error)
            {
                pushes = false;
                let notice = "the cage has no working `cage-poll`, so its outbox is looked into now and then";
                end = match self.hand_on(Line::notice(notice), &sender).await {
                    Ok(()) => continue,
                    Err(end) => end,
                };
            }
            if !retry.goes_on(end, &sender).await {
                return;
            }
        }
    }

    /// Connects and reads; says also whether the follower gave any sign of life.
    async fn read_until_end(&self, sender: &mpsc::Sender<Result<Delivery>>) -> (bool, End) {
        let mut read = false;
        let mut running = match self.connect().await {
            Ok(running) => running,
            Err(error) => return (read, End::judge(error)),
        };
        let mut output = LineBuffer::new(MAX_LINE_BYTES);
        let mut remarks = LineBuffer::new(MAX_REMARK_BYTES);
        loop {
            match timeout(MAX_SILENCE, running.next()).await {
                Ok(Ok(Some(Chunk::Stdout(bytes)))) => output.push(&bytes),
                Ok(Ok(Some(Chunk::Stderr(bytes)))) => remarks.push(&bytes),
                Ok(Ok(None)) => return (read, End::of(running, FOLLOW).await),
                Ok(Err(error)) => return (read, End::judge(error)),
                Err(_) => {
                    let error = CageError::TimedOut { operation: FOLLOW, after: MAX_SILENCE };
                    return (read, End::Lost(error.into()));
                }
            }
            let lines = std::iter::from_fn(|| output.next())
                .map(|line| line.map_or_else(Line::from, |line| Line::parse(&line)));
            let remarks =
                std::iter::from_fn(|| remarks.next()).filter_map(|line| Line::of_remark(&line.ok()?));
            for line in lines.chain(remarks) {
                read = true;
                if let Err(end) = self.hand_on(line, sender).await {
                    return (read, end);
                }
            }
        }
    }

    /// Gives the consumer what a line says and it does not have.
    pub(super) async fn hand_on(
        &self,
        line: Line,
        sender: &mpsc::Sender<Result<Delivery>>,
    ) -> Result<(), End> {
        for delivery in self.shared.deliveries(line) {
            sender.send(Ok(delivery)).await.map_err(|_| End::Consumer)?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Running> {
        let mut argv = vec!["sh", "-c", FOLLOW_SCRIPT, "sh", "--mailbox", Mailbox::Outbox.name()];
        let since = self.shared.ledger().since().cloned();
        // Without `--since` the follower would use, and move, a cursor inside the cage.
        argv.extend(["--since", since.as_ref().map_or(BEGINNING, EntryName::as_str)]);
        let exec = Exec::new(FOLLOW, argv, MAX_SILENCE).unlimited().stdin(Stdin::HeldOpen);
        self.place.exec(exec).await
    }
}

/// Says whether the cage has no program that could push messages.
fn cannot_push(error: &Error) -> bool {
    match error {
        Error::Cage(CageError::ProgramMissing { program, .. }) => program.ends_with(FOLLOW_PROGRAM),
        Error::Cage(CageError::Exited { code, .. }) => *code == EXIT_CANNOT_RUN,
        _ => false,
    }
}
