//! What can go wrong with an interactive agent.

use std::time::Duration;

/// Why an interactive agent cannot be started or given a prompt. Texts from its screen are sanitized.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InteractiveError {
    /// No interactive agent was started, or it was stopped.
    #[error("no interactive agent runs in the cage; start one first")]
    NotStarted,
    /// The agent's program ended.
    #[error("the interactive agent ended{}; its last words: {screen}; start it again", status(*exit_code))]
    Ended {
        /// Its exit code, where tmux knows it.
        exit_code: Option<i32>,
        /// The end of its screen.
        screen: String,
    },
    /// The agent has nothing to sign in with.
    #[error("the agent asks to sign in; give it a credential when it is started, or attach and use /login")]
    SignIn,
    /// The agent gave up before it showed its input box.
    #[error("the agent did not reach its service: {screen}; see whether the cage's network reaches it")]
    Unreachable {
        /// The end of its screen.
        screen: String,
    },
    /// The input box did not appear.
    #[error("the agent shows no input box after {} s; attach and look, it shows: {screen}", after.as_secs())]
    NoInputBox {
        /// How long it was waited for.
        after: Duration,
        /// The end of its screen.
        screen: String,
    },
    /// A turn is running, or somebody else waits for the end of one.
    #[error(
        "the agent is busy with another turn; wait for its end, or send a `task_revision`, which it gets in between"
    )]
    Busy,
    /// Somebody left text in the input box.
    #[error("the agent's input box holds text that was not sent: {text}; attach, then send or delete it")]
    Draft {
        /// The beginning of the text.
        text: String,
    },
    /// The text went into the input box and no turn began.
    #[error(
        "the agent took the text and began no turn; a command of its own such as /clear is none, use it attached"
    )]
    NotTaken,
    /// Somebody interrupted the turn.
    #[error("the turn was interrupted from the agent's screen")]
    Interrupted,
    /// The API failed.
    #[error("the turn failed: {reason}")]
    TurnFailed {
        /// What the agent's hook wrote down.
        reason: String,
    },
    /// The turn did not end in time; it goes on.
    #[error("the turn has not ended after {} s and goes on; wait for longer, or attach and look", after.as_secs())]
    TurnTimedOut {
        /// The deadline that passed.
        after: Duration,
    },
}

fn status(exit_code: Option<i32>) -> String {
    exit_code.map_or_else(String::new, |code| format!(" with exit code {code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_the_agent_ended_as_far_as_it_is_known() {
        let ended = |exit_code| InteractiveError::Ended { exit_code, screen: "bye".to_owned() };
        insta::assert_snapshot!(ended(Some(1)), @"the interactive agent ended with exit code 1; its last words: bye; start it again");
        insta::assert_snapshot!(ended(None), @"the interactive agent ended; its last words: bye; start it again");
    }
}
