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

/// How long is waited, and whether a question ends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    until: Instant,
    for_questions: bool,
}

/// How the waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The task is complete, with this exit code.
    Complete(i64),
    /// The agent waits for nothing any more.
    Idle,
    /// The agent gave up.
    GaveUp,
    /// The agent asks something.
    Asks,
    /// The time is up.
    TimedOut,
}

impl Wait {
    /// Waits so long from now.
    pub(super) fn at_most(time: Duration) -> Self {
        Self { until: Instant::now() + time.min(FOREVER), for_questions: false }
    }

    /// Sets whether a question ends the wait as well.
    pub(super) fn for_questions(self, for_questions: bool) -> Self {
        Self { for_questions, ..self }
    }

    pub(super) fn forever() -> Self {
        Self::at_most(FOREVER)
    }

    fn end_of(self, payload: &Payload) -> Option<Ended> {
        match payload {
            Payload::InfoRequest(_) if self.for_questions => Some(Ended::Asks),
            payload => end_of(payload),
        }
    }
}

impl Ended {
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Complete(0) => Exit::Ok,
            Self::Complete(_) => Exit::Unsuccessful,
            Self::Idle => Exit::Idle,
            Self::Asks => Exit::Asks,
            Self::GaveUp | Self::TimedOut => Exit::Failed,
        }
    }
}

/// Shows each message and acknowledges it, until one ends the wait.
pub(super) async fn until_done(
    follower: &mut Follower,
    wait: Wait,
    mut show: impl FnMut(&Notice<'_>) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    loop {
        let Ok(next) = timeout_at(wait.until, follower.next()).await else { return Ok(Ended::TimedOut) };
        let Some(delivery) = next.transpose()? else { return Ok(Ended::GaveUp) };
        // What was not printed is printed by the next one who asks.
        show(&Notice::from(&delivery))?;
        let ended = delivery.message().and_then(|message| wait.end_of(&message.payload));
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
