//! What is due when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Times at which something is due, at most one for each `T`.
#[derive(Debug)]
pub(super) struct Timers<T> {
    due: BTreeMap<T, Instant>,
}

impl<T: Ord + Copy> Timers<T> {
    pub(super) fn new() -> Self {
        Self { due: BTreeMap::new() }
    }

    pub(super) fn set(&mut self, timer: T, after: Duration) {
        self.due.insert(timer, Instant::now() + after);
    }

    pub(super) fn clear(&mut self, timer: T) {
        self.due.remove(&timer);
    }

    /// Returns when the next one is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes one that is due, the earliest first.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<T> {
        let (&timer, &at) = self.due.iter().min_by_key(|(_, at)| **at)?;
        if at > now {
            return None;
        }
        self.due.remove(&timer);
        Some(timer)
    }
}
