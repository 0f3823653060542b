//! Messages from the agent.

use std::sync::Arc;
use std::time::Duration;

use cage_proto::mailbox::Mailbox;
use cage_proto::message::Kind;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::cursor_store::CursorStore;
use super::delivery::{Delivery, Shared};
use super::follower::{Follower, Reading};
use super::ledger::Ledger;
use super::listing::{self, Listing, Select};
use crate::cage::Place;
use crate::error::{IoContext as _, RequestError, Result};

/// The consumer that reads when no other is named.
const DEFAULT_CONSUMER: &str = "host";

/// Longest name of a consumer, in bytes: it becomes part of a file name.
const MAX_CONSUMER_BYTES: usize = 64;

/// The mailbox that the agent writes and the host reads.
#[derive(Debug, Clone)]
#[must_use]
pub struct Outbox {
    place: Place,
    store: Arc<dyn CursorStore>,
    consumer: String,
}

impl Outbox {
    pub(crate) fn new(place: Place, store: Arc<dyn CursorStore>) -> Self {
        Self { place, store, consumer: DEFAULT_CONSUMER.to_owned() }
    }

    /// Reads as another consumer: each has a cursor of its own and gets every message.
    pub fn consumer(mut self, name: impl Into<String>) -> Self {
        self.consumer = name.into();
        self
    }

    /// Follows the outbox from the first message that this consumer has not acknowledged.
    ///
    /// Messages are pushed by one long-running program in the cage. When the connection to it breaks, it is started
    /// again where it was; nothing is lost and nothing comes twice. Let one follower at a time use a consumer's name.
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] for a consumer name that is empty, too long, or has more than letters, digits,
    ///   `-` and `_`.
    /// - [`IoError`](crate::IoError) when the cursor cannot be read.
    ///
    /// Everything else is reported by [`Follower::next`].
    pub async fn follow(self) -> Result<Follower> {
        let (key, ledger) = self.load().await?;
        Ok(Follower::start(Reading::new(self.place, ledger, self.store, key)))
    }

    /// Returns what this consumer has not acknowledged, without waiting for more: a look where a follower would be too
    /// much. At most [`MAX_LISTED`](crate::MAX_LISTED) are returned at once.
    ///
    /// Acknowledge the messages in their order. A file that is no message may still be about to become one, so it has
    /// nothing to acknowledge and is returned each time.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// for delivery in cage.outbox().pending().await? {
    ///     println!("{}", delivery.content());
    ///     delivery.ack().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`Outbox::follow`] and [`Outbox::list`].
    pub async fn pending(self) -> Result<Vec<Delivery>> {
        let (key, ledger) = self.load().await?;
        let behind = ledger.since().map(|name| Select::all().since(name.as_str()));
        let listing = self.list(behind.unwrap_or_default()).await?;
        let shared = Arc::new(Shared::new(ledger, self.store, key));
        Ok(listing.entries.into_iter().flat_map(|entry| shared.listed(entry)).collect())
    }

    /// Reads how far the consumer is, and returns it with its key.
    async fn load(&self) -> Result<(String, Ledger)> {
        let key = self.key()?;
        let store = Arc::clone(&self.store);
        let load = key.clone();
        let text =
            spawn_blocking(move || store.load(&load)).await.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        let text = text.context("read the cursor", key.as_ref())?;
        Ok((key, Ledger::from_text(text.as_deref().unwrap_or_default())))
    }

    /// Waits until there is a message of a type that this consumer has not acknowledged, and returns the first one.
    ///
    /// Nothing is acknowledged, neither what it passes over nor what it returns: both come again to the next
    /// [`Outbox::follow`] or `wait_for`, unless the returned delivery is acknowledged, which concerns it alone. Nothing
    /// is returned when there is no such message within `deadline`.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use std::time::Duration;
    /// use cage_host::message::Kind;
    ///
    /// let an_hour = Duration::from_secs(3_600);
    /// match cage.outbox().wait_for(Kind::TaskComplete, an_hour).await? {
    ///     Some(delivery) => delivery.ack().await?,
    ///     None => println!("not done within an hour"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Like [`Outbox::follow`] and [`Follower::next`].
    pub async fn wait_for(self, kind: Kind, deadline: Duration) -> Result<Option<Delivery>> {
        let mut follower = self.follow().await?;
        let found = async {
            while let Some(delivery) = follower.next().await {
                let delivery = delivery?;
                if delivery.message().is_some_and(|message| message.payload.kind() == Some(kind)) {
                    return Ok(Some(delivery));
                }
            }
            Ok(None)
        };
        timeout(deadline, found).await.unwrap_or(Ok(None))
    }

    /// Lists what lies in the outbox, acknowledged or not, by one program in the cage. No cursor is read or moved.
    ///
    /// At most [`MAX_LISTED`](crate::MAX_LISTED) entries and 64 MiB are returned at once; [`Listing::rest`] says where
    /// to go on. A file that is still being written is listed as malformed.
    ///
    /// ```no_run
    /// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
    /// use cage_host::Select;
    /// use cage_host::message::Kind;
    ///
    /// for message in cage.outbox().list(Select::all().of(Kind::Error)).await?.messages() {
    ///     println!("{}", cage_host::sanitize(&message.to_line()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`RequestError::Invalid`] when [`Select::since`] was given what is no name.
    /// - [`CageError`](crate::CageError) when the cage is gone or stopped, has no `sh`, `find` or `tar`, or holds more
    ///   than can be listed.
    /// - [`EngineError`](crate::EngineError) when the engine fails.
    pub async fn list(&self, select: Select) -> Result<Listing> {
        listing::list(&self.place, Mailbox::Outbox, &select).await
    }

    fn key(&self) -> Result<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let fits = (1..=MAX_CONSUMER_BYTES).contains(&self.consumer.len());
        if !fits || !self.consumer.bytes().all(plain) {
            let reason = format!("use 1 to {MAX_CONSUMER_BYTES} letters, digits, `-` or `_`");
            return Err(RequestError::Invalid { what: "consumer name", reason }.into());
        }
        Ok(format!("{}{}", self.place.cursor_prefix(), self.consumer))
    }
}
