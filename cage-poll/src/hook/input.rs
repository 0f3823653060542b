//! What Claude Code says to a hook, and what may be said back.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The members of a hook's input that are used here; there are many more, and they differ between versions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Input {
    pub(super) session_id: Option<String>,
    pub(super) transcript_path: Option<String>,
    pub(super) source: Option<String>,
    pub(super) prompt: Option<String>,
    pub(super) last_assistant_message: Option<String>,
    pub(super) background_tasks: Vec<Value>,
    pub(super) error: Option<Value>,
    pub(super) error_details: Option<Value>,
}

/// What a hook answers. Claude Code ignores an answer of any other shape without a word, so it is made from types.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Answer {
    /// The agent goes on with this as its next turn.
    #[serde(rename_all = "camelCase")]
    Block { decision: Decision, reason: String },
    /// The model reads this beside the result of its tool.
    #[serde(rename_all = "camelCase")]
    Context { hook_specific_output: Context },
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Decision {
    Block,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Context {
    pub(super) hook_event_name: &'static str,
    pub(super) additional_context: String,
}

impl Answer {
    pub(super) fn next_turn(text: String) -> Self {
        Self::Block { decision: Decision::Block, reason: text }
    }

    pub(super) fn beside_tool(text: String) -> Self {
        Self::Context {
            hook_specific_output: Context { hook_event_name: "PostToolUse", additional_context: text },
        }
    }

    pub(super) fn to_json(&self) -> String {
        // Text has no value that JSON cannot hold.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_in_the_shapes_that_are_understood() {
        insta::assert_snapshot!(Answer::next_turn("x".into()).to_json(), @r#"{"decision":"block","reason":"x"}"#);
        insta::assert_snapshot!(Answer::beside_tool("x".into()).to_json(), @r#"{"hookSpecificOutput":{"hookEventName":"PostToolUse","additionalContext":"x"}}"#);
    }
}
