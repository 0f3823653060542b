//! What the agent and the host are told.

use std::time::Duration;

/// Characters of the agent's last words that are passed on.
const LAST_WORDS_CHARS_MAX: usize = 2_000;

/// Begins the turn of an agent that ended its last one without a report.
pub(super) const REMINDER: &str = "\
Your turn ended, but your host has heard nothing since your last instruction: no `task_complete` was sent.
If the task is done, or you give it up, send it now: cage-send task_complete --summary \"…\" --exit-code 0
If it is not done, go on with it. If you need something from your host, send an `info_request`.";

/// Begins the turn of an agent that was cut off.
pub(super) const GO_ON: &str = "\
You were interrupted in the middle of your work. Look at what is done already and go on where you stopped. \
Report as before; do not repeat what you have sent.";

/// Begins the turn of an agent that has lost its conversation.
pub(super) fn begin_again(task: Option<&str>) -> String {
    let task = task.unwrap_or("(It is not known any more.)");
    format!(
        "You have worked on this before, but that conversation is lost. Look at what is done already and go on from \
         there; do not repeat what you have sent. Your task was:\n\n{task}"
    )
}

/// What a host is told when the hooks do not run.
pub(super) const HOOKS_NOT_RUNNING: &str = "\
the session-start hook has not run: messages reach the agent only between its turns, and its heartbeat does not beat. \
Run `cage-poll hook check` in the image.";

/// Why nobody waits any more.
pub(super) const NOTHING_CAME: &str = "no message came in time";

/// Why supervision ended in the middle of a turn.
pub(super) const STOPPED_IN_A_TURN: &str = "stopped by a signal; the next launch with the same task goes on";

/// Why supervision ended between two turns.
pub(super) const STOPPED: &str = "stopped by a signal";

/// Why nobody waits any more when no further turn is allowed.
pub(super) fn turns_used_up(turns: u64) -> String {
    format!("the limit of turns is reached: {turns}")
}

pub(super) fn ended_silently(last_words: &str) -> String {
    let last_words: String = last_words.chars().take(LAST_WORDS_CHARS_MAX).collect();
    format!("the agent ended its turn twice without a task_complete; its last words: {last_words}")
}

pub(super) fn retrying(delay: Duration, reason: &str) -> String {
    let reason = reason.lines().next().unwrap_or_default();
    format!("the next try is in {} s, after: {reason}", delay.as_secs())
}
