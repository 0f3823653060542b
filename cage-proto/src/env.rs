//! Clock and message ids, as arguments.
//!
//! A mailbox has to stay in order when the clock stands still or steps back, and a test can only show that when it
//! holds the clock in its hand.

use chrono::{DateTime, SubsecRound as _, Utc};
use uuid::Uuid;

use crate::message::MessageId;

/// Tells the time of day.
pub trait Clock {
    /// Returns the present, cut to whole microseconds.
    fn now(&self) -> DateTime<Utc>;
}

/// Gives out message ids.
pub trait IdSource {
    /// Returns an id that was never returned before.
    fn next_id(&self) -> MessageId;
}

/// The machine's clock and random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

impl IdSource for System {
    fn next_id(&self) -> MessageId {
        MessageId::from_uuid(Uuid::now_v7())
    }
}
