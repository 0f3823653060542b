//! The numbers of a run.

use cage_proto::message::{Envelope, Payload};
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, seconds_between};
use super::messaging::{Reactions, longest, median, missing, working_gaps};
use super::troubles::Trouble;
use crate::watch::LogEvent;

/// The numbers of a run. What was not found out is missing; costs and tokens are what the agent says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Measures {
    /// From the launch, which is known to the second, to the agent's first message.
    pub first_message_seconds: Option<f64>,
    /// From the launch to the agent's last report that its task is over.
    pub completed_seconds: Option<f64>,
    /// Cost in US dollars, of the turns that have ended.
    pub cost_usd: Option<f64>,
    /// Tokens read at full price.
    pub input_tokens: Option<u64>,
    /// Tokens written.
    pub output_tokens: Option<u64>,
    /// Tokens read from the cache.
    pub cache_read_tokens: Option<u64>,
    /// Tokens put into the cache.
    pub cache_creation_tokens: Option<u64>,
    /// Instructions that were given to the agent.
    pub turns: Option<u64>,
    /// Messages of the agent.
    pub messages_sent: u64,
    /// Messages to the agent.
    pub messages_received: u64,
    /// Files in the mailboxes that are no messages.
    pub malformed: u64,
    /// Messages that were removed, by the numbers that are missing.
    pub missing: u64,
    /// The middle one of the times between two messages of an agent at work.
    pub median_gap_seconds: Option<f64>,
    /// The longest of these times.
    pub longest_gap_seconds: Option<f64>,
    /// Questions of the agent.
    pub questions: u64,
    /// Questions that nobody has answered.
    pub unanswered: u64,
    /// Revisions that were sent to the agent.
    pub revisions: u64,
    /// The longest time until the host reacted to a message that asks for it.
    pub longest_reaction_seconds: Option<f64>,
    /// What went wrong.
    pub troubles: u64,
    /// Of that, what the agent did not recover from, or where nobody knows.
    pub not_recovered: u64,
    /// Tools that failed, in the part of the log that was read.
    pub tool_errors: u64,
    /// Tools that were used, in the part of the log that was read.
    pub tool_uses: u64,
    /// Failed calls of the API, in the part of the log that was read.
    pub api_failures: u64,
    /// Files that differ from the folder of the host.
    pub files_changed: Option<u64>,
    /// Of these, files that an export holds back.
    pub held_back: Option<u64>,
}

impl Measures {
    pub(super) fn of(evidence: &Evidence, troubles: &[Trouble]) -> Self {
        let spent = evidence.diagnosis.status.spent;
        let gaps = working_gaps(evidence);
        let reactions = Reactions::of(evidence);
        let in_log = |wanted: fn(&LogEvent) -> bool| evidence.log.iter().filter(|e| wanted(e)).count() as u64;
        let since_launch = |at| seconds_between(evidence.launched_at?, at);
        let first = evidence.sent().map(|message| message.timestamp.instant());
        let received =
            |wanted: fn(&Envelope) -> bool| evidence.received().filter(|m| wanted(m)).count() as u64;
        Self {
            first_message_seconds: first.map(since_launch).find_map(|seconds| seconds),
            completed_seconds: evidence.completed_at().and_then(since_launch),
            cost_usd: spent.map(|spent| spent.cost_usd),
            input_tokens: spent.map(|spent| spent.tokens.input_tokens),
            output_tokens: spent.map(|spent| spent.tokens.output_tokens),
            cache_read_tokens: spent.map(|spent| spent.tokens.cache_read_input_tokens),
            cache_creation_tokens: spent.map(|spent| spent.tokens.cache_creation_input_tokens),
            turns: spent.map(|spent| spent.turns),
            messages_sent: evidence.sent().count() as u64,
            messages_received: evidence.received().count() as u64,
            malformed: evidence.malformed().count() as u64,
            missing: missing(&evidence.outbox) + missing(&evidence.inbox),
            median_gap_seconds: median(&gaps),
            longest_gap_seconds: longest(&gaps),
            questions: reactions.questions,
            unanswered: reactions.unanswered,
            revisions: received(|message| matches!(message.payload, Payload::TaskRevision(_))),
            longest_reaction_seconds: longest(&reactions.seconds),
            troubles: troubles.len() as u64,
            not_recovered: troubles.iter().filter(|trouble| trouble.recovered != Some(true)).count() as u64,
            tool_errors: in_log(|event| matches!(event, LogEvent::ToolResult { is_error: true, .. })),
            tool_uses: in_log(|event| matches!(event, LogEvent::ToolUse { .. })),
            api_failures: in_log(|event| matches!(event, LogEvent::ApiRetry { .. })),
            files_changed: evidence.changes.as_ref().map(|changes| changes.files),
            held_back: evidence.changes.as_ref().map(|changes| changes.held_back.len() as u64),
        }
    }
}
