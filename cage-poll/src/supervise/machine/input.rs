//! What can happen to a supervised agent.

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) enum Input {
    /// The launch.
    Begin(Opening),
    /// The agent has a conversation that can be resumed.
    Conversation,
    /// The model answered.
    Spoke,
    /// The agent's process has ended.
    TurnOver { ending: Ending, reported: Reported },
    /// These messages came, and are noted down as handed over.
    Inbox(String),
    /// A timer that was set has run out.
    Elapsed(Timer),
    /// Someone wants the supervisor to end.
    Terminate,
}

/// How a launch begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) enum Opening {
    /// With a task, in a new conversation.
    Task(String),
    /// In the middle of a turn that was cut off; the task is there for an agent that has lost its conversation.
    GoOn { task: Option<String>, conversation: bool },
    /// Between two turns.
    Wait { conversation: bool },
}

/// How the agent's process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) enum Ending {
    /// As it should, with these last words.
    Finished { last_words: String },
    /// In some other way.
    Crashed(Crash),
}

/// Why the agent's process ended in a way that it should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervise) struct Crash {
    /// What happened, with the end of the log.
    pub(in crate::supervise) reason: String,
    pub(in crate::supervise) cause: Cause,
}

/// What may help after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervise) enum Cause {
    /// The same again, a little later.
    Transient,
    /// A new conversation: the old one is not known any more.
    ConversationLost,
    /// A word from the host.
    Other,
    /// Nothing: the agent cannot be started at all.
    CannotStart,
}

/// What the agent sent since its last instruction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::supervise) enum Reported {
    #[default]
    Nothing,
    /// A question that is not answered yet: it waits for the host, and rightly so.
    Question,
    Complete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::supervise) enum Timer {
    /// The host has not sent anything in time.
    Wait,
    /// The next try is due.
    Retry,
    /// The agent had time enough to end.
    Grace,
    /// The hooks should have run.
    Hooks,
}
