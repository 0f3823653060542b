//! Something out of an outbox, and the right to acknowledge it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cage_proto::mailbox::EntryName;
use cage_proto::message::Envelope;
use tokio::task::spawn_blocking;

use super::content::{Content, Gap};
use super::cursor_store::CursorStore;
use super::ledger::Ledger;
use super::line::Line;
use super::listing::Entry;
use crate::error::{IoContext as _, Result};

/// Something out of an outbox.
#[derive(Debug)]
pub struct Delivery {
    name: String,
    content: Content,
    /// What to acknowledge; what is said about the mailbox as a whole has nothing.
    entry: Option<EntryName>,
    shared: Arc<Shared>,
}

/// What the deliveries of one follower share with it.
#[derive(Debug)]
pub(super) struct Shared {
    ledger: Mutex<Ledger>,
    /// Makes saves follow each other in the order of the acknowledgements.
    saving: tokio::sync::Mutex<()>,
    store: Arc<dyn CursorStore>,
    key: String,
}

impl Delivery {
    /// Returns the name of the file in the outbox, safe to show; empty for what is said about the mailbox as a whole.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what it is.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns the message, unless it is something else.
    pub fn message(&self) -> Option<&Envelope> {
        self.content.message()
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
    pub(super) fn new(ledger: Ledger, store: Arc<dyn CursorStore>, key: String) -> Self {
        Self { ledger: Mutex::new(ledger), saving: tokio::sync::Mutex::new(()), store, key }
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Each change of the ledger is complete before it can panic.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes deliveries of a line: what is missing in front of it, and itself; none if the consumer has it already.
    pub(super) fn deliveries(self: &Arc<Self>, line: Line) -> Vec<Delivery> {
        let (name, entry, content) = match line {
            Line::Heartbeat => return Vec::new(),
            Line::Notice(content) => (String::new(), None, content),
            Line::Malformed(name, content) => (name.clone(), name.parse().ok(), content),
            Line::Message(name, message) => (name.to_string(), Some(name), Content::Message(message)),
        };
        let (gap, new) = self.look_up(&name, entry.as_ref(), &content);
        if !new {
            return Vec::new();
        }
        let gap = gap.map(|gap| self.delivery(String::new(), None, Content::Gap(gap)));
        gap.into_iter().chain([self.delivery(name, entry, content)]).collect()
    }

    /// Makes deliveries of a listed file. What is no message yet has nothing to acknowledge, since it may become one.
    pub(super) fn listed(self: &Arc<Self>, entry: Entry) -> Vec<Delivery> {
        match (entry.name.parse(), entry.content) {
            (Ok(name), Content::Message(message)) => self.deliveries(Line::Message(name, message)),
            (_, content) => vec![self.delivery(entry.name, None, content)],
        }
    }

    fn delivery(self: &Arc<Self>, name: String, entry: Option<EntryName>, content: Content) -> Delivery {
        Delivery { name, content, entry, shared: Arc::clone(self) }
    }

    /// Says what is missing in front of something, and whether it is new itself.
    fn look_up(&self, name: &str, entry: Option<&EntryName>, content: &Content) -> (Option<Gap>, bool) {
        let mut ledger = self.ledger();
        let Some(entry) = entry else {
            // A file whose name no cursor can hold is found again by each new connection.
            let is_file = matches!(content, Content::Malformed(_) | Content::Oversize);
            return (None, !is_file || ledger.remember((name, content.to_string())));
        };
        let gap = ledger.count(entry, content);
        let mut new = ledger.deliver(entry);
        if let (true, Content::Message(message)) = (new, content)
            && ledger.is_repeat(message)
        {
            // Stored twice by its sender; the consumer has it and will never acknowledge this name.
            ledger.acknowledge(entry);
            new = false;
        }
        (gap, new)
    }
}
