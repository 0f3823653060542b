//! Messages from the agent.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::cursor_store::CursorStore;
use super::follower::{Follower, Reading};
use super::ledger::Ledger;
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
        let key = self.key()?;
        let store = Arc::clone(&self.store);
        let load = key.clone();
        let text =
            spawn_blocking(move || store.load(&load)).await.unwrap_or_else(|e| Err(std::io::Error::other(e)));
        let text = text.context("read the cursor", key.as_ref())?;
        let ledger = Ledger::from_text(text.as_deref().unwrap_or_default());
        Ok(Follower::start(Reading::new(self.place, ledger, self.store, key)))
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
