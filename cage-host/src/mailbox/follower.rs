//! Following an outbox: one long-running program in the cage, started again when the connection to it is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cage_proto::mailbox::{EntryName, Mailbox};
use cage_proto::message::Envelope;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

use super::cursor_store::CursorStore;
use super::ledger::Ledger;
use super::line::{Line, LineBuffer, MAX_LINE_BYTES};
use crate::backend::{Chunk, Exec, Running, Stdin};
use crate::cage::Place;
use crate::error::{CageError, EngineError, Error, IoContext as _, Result};

const FOLLOW: &str = "follow the outbox";

/// Longest silence of a follower. It gives a sign of life every 30 s, so three of them have been missed.
const MAX_SILENCE: Duration = Duration::from_secs(100);

/// Waits between two attempts to connect, growing from the first to the second.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// How long connecting is tried again without success before the follower gives up: long enough for a restart of the
/// engine or of its machine.
const RETRY_FOR: Duration = Duration::from_secs(180);

/// How long a cage that is stopped or paused is waited for: a restart of its container takes a few seconds, and whoever
/// stopped it for good should not leave the consumer waiting.
const RESTART_FOR: Duration = Duration::from_secs(15);

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

/// The messages of an outbox, as they come.
///
/// Dropping it ends the program in the cage. What was delivered but not acknowledged is delivered again to the next
/// follower of the same consumer.
#[derive(Debug)]
pub struct Follower {
    deliveries: mpsc::Receiver<Result<Delivery>>,
    task: JoinHandle<()>,
}

/// Something out of an outbox.
#[derive(Debug)]
pub struct Delivery {
    name: String,
    content: Content,
    /// What to acknowledge; a notice has nothing.
    entry: Option<EntryName>,
    shared: Arc<Shared>,
}

/// What a [`Delivery`] holds. Its text comes from a cage: show it through [`crate::sanitize`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// A whole and valid message.
    Message(Box<Envelope>),
    /// A file that is no message, and why. It stays in the cage.
    Malformed(String),
    /// Something about the mailbox as a whole that should not stay unknown: a missing message, too many files.
    Notice(String),
}

/// What the deliveries of one follower share with it.
#[derive(Debug)]
struct Shared {
    ledger: Mutex<Ledger>,
    /// Makes saves follow each other in the order of the acknowledgements.
    saving: tokio::sync::Mutex<()>,
    store: Arc<dyn CursorStore>,
    key: String,
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
    /// - [`CageError::ProgramMissing`] or [`CageError::Exited`] when the image has no working `cage-poll`.
    /// - [`EngineError`] when the engine was not reachable for three minutes.
    pub async fn next(&mut self) -> Option<Result<Delivery>> {
        self.deliveries.recv().await
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Delivery {
    /// Returns the name of the file in the outbox, safe to show; empty for a notice.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it is.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns the message, unless it is something else.
    pub fn message(&self) -> Option<&Envelope> {
        match &self.content {
            Content::Message(message) => Some(message),
            Content::Malformed(_) | Content::Notice(_) => None,
        }
    }

    /// Notes that the consumer is done with it. When this returns, it is not delivered again, even after a crash.
    ///
    /// # Errors
    /// [`IoError`](crate::IoError) when the cursor cannot be saved; after a restart it is then delivered again.
    pub async fn ack(self) -> Result<()> {
        let Some(name) = &self.entry else { return Ok(()) };
        let _in_order = self.shared.saving.lock().await;
        let text = {
            let mut ledger = self.shared.ledger();
            ledger.acknowledge(name);
            ledger.to_text()
        };
        let shared = Arc::clone(&self.shared);
        let saved = spawn_blocking(move || shared.store.save(&shared.key, &text)).await;
        saved
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .context("save the cursor", self.shared.key.as_ref())
    }
}

impl Shared {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Each change of the ledger is complete before it can panic.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task behind a [`Follower`].
#[derive(Debug)]
pub(super) struct Reading {
    place: Place,
    shared: Arc<Shared>,
}

/// Why reading came to an end.
#[derive(Debug)]
enum End {
    /// Nobody wants more.
    Consumer,
    /// The connection broke; what it was is told when it cannot be mended.
    Lost(Error),
    /// Trying again would not help.
    Failed(Error),
}

impl Reading {
    pub(super) fn new(place: Place, ledger: Ledger, store: Arc<dyn CursorStore>, key: String) -> Self {
        let saving = tokio::sync::Mutex::new(());
        Self { place, shared: Arc::new(Shared { ledger: Mutex::new(ledger), saving, store, key }) }
    }

    async fn run(self, sender: mpsc::Sender<Result<Delivery>>) {
        let mut alive = Instant::now();
        let mut pause = RETRY_FIRST;
        loop {
            let (read, end) = self.read_until_end(&sender).await;
            if read {
                (alive, pause) = (Instant::now(), RETRY_FIRST);
            }
            match end {
                End::Consumer => return,
                End::Lost(ref error) if alive.elapsed() < patience(error) => {}
                End::Lost(error) | End::Failed(error) => {
                    // Nobody to hear it means nobody wants to know.
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(RETRY_LONGEST);
        }
    }

    /// Connects and reads; says also whether the follower gave any sign of life.
    async fn read_until_end(&self, sender: &mpsc::Sender<Result<Delivery>>) -> (bool, End) {
        let mut read = false;
        let mut running = match self.connect().await {
            Ok(running) => running,
            Err(error) => return (read, judge(error)),
        };
        let mut output = LineBuffer::new(MAX_LINE_BYTES);
        let mut remarks = LineBuffer::new(MAX_REMARK_BYTES);
        loop {
            match timeout(MAX_SILENCE, running.next()).await {
                Ok(Ok(Some(Chunk::Stdout(bytes)))) => output.push(&bytes),
                Ok(Ok(Some(Chunk::Stderr(bytes)))) => remarks.push(&bytes),
                Ok(Ok(None)) => return (read, how_it_ended(running).await),
                Ok(Err(error)) => return (read, judge(error)),
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
                let Some(delivery) = self.delivery(line) else { continue };
                if sender.send(Ok(delivery)).await.is_err() {
                    return (read, End::Consumer);
                }
            }
        }
    }

    async fn connect(&self) -> Result<Running> {
        let mut argv = vec!["sh", "-c", FOLLOW_SCRIPT, "sh", "--mailbox", Mailbox::Outbox.name()];
        let since = self.shared.ledger().since().cloned();
        // Without `--since` the follower would use, and move, a cursor inside the cage.
        argv.extend(["--since", since.as_ref().map_or(BEGINNING, EntryName::as_str)]);
        let exec = Exec::new(FOLLOW, argv, MAX_SILENCE).unlimited().stdin(Stdin::HeldOpen);
        self.place.exec(exec).await
    }

    /// Makes a delivery of a line, unless the consumer has it already.
    fn delivery(&self, line: Line) -> Option<Delivery> {
        let (name, entry, content) = match line {
            Line::Heartbeat => return None,
            Line::Notice(text) => (String::new(), None, Content::Notice(text)),
            Line::Malformed(name, why) => (name.clone(), name.parse().ok(), Content::Malformed(why)),
            Line::Message(name, message) => (name.to_string(), Some(name), Content::Message(message)),
        };
        if !self.is_new(&name, entry.as_ref(), &content) {
            return None;
        }
        Some(Delivery { name, content, entry, shared: Arc::clone(&self.shared) })
    }

    fn is_new(&self, name: &str, entry: Option<&EntryName>, content: &Content) -> bool {
        let mut ledger = self.shared.ledger();
        match (entry, content) {
            (Some(entry), Content::Message(message)) => {
                let fresh = ledger.deliver(entry);
                if fresh && ledger.is_repeat(message) {
                    // Stored twice by its sender; the consumer has it and will never acknowledge this name.
                    ledger.acknowledge(entry);
                    return false;
                }
                fresh
            }
            (Some(entry), _) => ledger.deliver(entry),
            // A file whose name no cursor can hold is found again by each new connection.
            (None, Content::Malformed(why)) => ledger.remember((name, why)),
            (None, _) => true,
        }
    }
}

/// Judges the end of the follower itself: it is meant to run for ever.
async fn how_it_ended(running: Running) -> End {
    match running.exit().await {
        // A signal, also the one that ends a container.
        Ok(exit) if exit.code == 0 || exit.code > 128 => {
            let reason = "the program in the cage was ended".to_owned();
            End::Lost(EngineError::Lost { operation: FOLLOW, reason }.into())
        }
        Ok(exit) => exit.success(FOLLOW).map_or_else(End::Failed, |()| End::Consumer),
        Err(error) => judge(error),
    }
}

/// Says whether connecting again can help.
fn judge(error: Error) -> End {
    match error {
        Error::Engine(
            EngineError::Lost { .. } | EngineError::TimedOut { .. } | EngineError::Unreachable { .. },
        )
        | Error::Cage(CageError::NotRunning { .. }) => End::Lost(error),
        other => End::Failed(other),
    }
}

/// Returns how long connecting is tried again when this stands in the way.
fn patience(error: &Error) -> Duration {
    match error {
        Error::Cage(CageError::NotRunning { .. }) => RESTART_FOR,
        _ => RETRY_FOR,
    }
}
