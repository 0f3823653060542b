//! Following an outbox until the agent is done.

use std::time::Duration;

use cage_host::Follower;
use cage_host::message::Payload;
use tokio::time::{Instant, timeout_at};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Notice;

/// A time so far away that nobody meets it.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait(Instant);

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The task is complete, with this exit code.
    Complete(i64),
    /// The agent waits for nothing any more.
    Idle,
    /// The agent gave up.
    GaveUp,
    /// The time is up.
    TimedOut,
}

impl Wait {
    /// Waits so long from now.
    pub(super) fn at_most(time: Duration) -> Self {
        Self(Instant::now() + time.min(FOREVER))
    }

    pub(super) fn forever() -> Self {
        Self::at_most(FOREVER)
    }
}

impl Ended {
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Complete(0) => Exit::Ok,
            Self::Complete(_) => Exit::Unsuccessful,
            Self::Idle => Exit::Idle,
            Self::GaveUp | Self::TimedOut => Exit::Failed,
        }
    }
}

/// Shows each message and acknowledges it, until one says that the agent is done.
pub(super) async fn until_done(
    follower: &mut Follower,
    wait: Wait,
    mut show: impl FnMut(&Notice<'_>) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    loop {
        let Ok(next) = timeout_at(wait.0, follower.next()).await else { return Ok(Ended::TimedOut) };
        let Some(delivery) = next.transpose()? else { return Ok(Ended::GaveUp) };
        // What was not printed is printed by the next one who asks.
        show(&Notice::from(&delivery))?;
        let ended = delivery.message().and_then(|message| end_of(&message.payload));
        delivery.ack().await?;
        if let Some(ended) = ended {
            return Ok(ended);
        }
    }
}

/// Says whether a message ends the work.
pub(super) fn end_of(payload: &Payload) -> Option<Ended> {
    match payload {
        Payload::TaskComplete(done) => Some(Ended::Complete(done.exit_code)),
        Payload::GoingIdle(_) => Some(Ended::Idle),
        Payload::Error(error) if !error.recoverable => Some(Ended::GaveUp),
        _ => None,
    }
}
