//! What a supervisor can do.

use std::time::Duration;

use cage_proto::agent::State;

use super::input::Timer;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) enum Action {
    /// Starts the agent with a new conversation. What is pending in the inbox goes along.
    Start(String),
    /// Starts the agent in the conversation it had. What is pending in the inbox goes along.
    Resume(String),
    /// Takes what is pending, now and whenever something comes, until the agent is started.
    WatchInbox,
    /// What the agent was handed has arrived.
    Arrived(Arrival),
    /// What the agent was handed has not arrived, and will be handed over again.
    Withdraw,
    /// Sends an `error` to the host.
    Report {
        error_type: &'static str,
        message: String,
        recoverable: bool,
    },
    /// Looks whether the hooks run, and reports when they do not.
    LookForHooks,
    /// Sends `going_idle`.
    GoIdle(String),
    Set(Timer, Duration),
    Clear(Timer),
    /// Writes down what the agent is doing.
    Enter {
        state: State,
        reason: Option<String>,
        turn_open: bool,
    },
    /// Tells the agent to end.
    Interrupt,
    /// Ends the agent's processes.
    Kill,
    /// Ends the supervisor.
    Exit(Outcome),
}

/// What shows that messages arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervise) enum Arrival {
    Answered,
    EndedTurn,
}

/// How supervision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervise) enum Outcome {
    /// As planned.
    Planned,
    /// The agent cannot be started.
    CannotStart,
}
