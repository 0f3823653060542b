//! One message of the model in the API's two wire forms: whole, and as a stream of events.
//!
//! Pure: values in, JSON out.

use serde_json::{Value, json};

/// Input tokens that each scripted reply reports, so that a test can add them up.
pub const INPUT_TOKENS_PER_REPLY: u64 = 100;

/// Output tokens that each scripted reply reports.
pub const OUTPUT_TOKENS_PER_REPLY: u64 = 20;

/// Characters in one streamed delta: few, so that every client has to put the pieces together.
const DELTA_CHARS: usize = 24;

/// What a reply consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Text(String),
    ToolUse { name: String, input: Value },
}

/// A message of the scripted model.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    /// Unique among all replies, also those of an earlier server that are part of a resumed conversation.
    pub(super) id: String,
    /// The model that the request named.
    pub(super) model: String,
    pub(super) content: Content,
}

impl Reply {
    /// The reply as the body of a request that did not ask for a stream.
    pub(super) fn whole(&self) -> Value {
        let block = match &self.content {
            Content::Text(text) => json!({ "type": "text", "text": text }),
            Content::ToolUse { name, input } => self.tool_use(name, input),
        };
        self.message(&json!([block]), Some(self.stop_reason()), OUTPUT_TOKENS_PER_REPLY)
    }

    /// The reply as the events of a stream, in order; each one's `type` is also its event name.
    pub(super) fn events(&self) -> Vec<Value> {
        let (empty_block, deltas) = match &self.content {
            Content::Text(text) => {
                let pieces = pieces(text).map(|piece| json!({ "type": "text_delta", "text": piece }));
                (json!({ "type": "text", "text": "" }), pieces.collect::<Vec<_>>())
            }
            Content::ToolUse { name, input } => {
                let text = input.to_string();
                let pieces =
                    pieces(&text).map(|piece| json!({ "type": "input_json_delta", "partial_json": piece }));
                (self.tool_use(name, &json!({})), pieces.collect())
            }
        };
        let mut events = vec![
            json!({ "type": "message_start", "message": self.message(&json!([]), None, 1) }),
            json!({ "type": "content_block_start", "index": 0, "content_block": empty_block }),
        ];
        events.extend(
            deltas
                .into_iter()
                .map(|delta| json!({ "type": "content_block_delta", "index": 0, "delta": delta })),
        );
        events.extend([
            json!({ "type": "content_block_stop", "index": 0 }),
            json!({
                "type": "message_delta",
                "delta": { "stop_reason": self.stop_reason(), "stop_sequence": null },
                "usage": { "output_tokens": OUTPUT_TOKENS_PER_REPLY },
            }),
            json!({ "type": "message_stop" }),
        ]);
        events
    }

    fn stop_reason(&self) -> &'static str {
        match self.content {
            Content::Text(_) => "end_turn",
            Content::ToolUse { .. } => "tool_use",
        }
    }

    fn tool_use(&self, name: &str, input: &Value) -> Value {
        json!({ "type": "tool_use", "id": format!("toolu_{}", self.id), "name": name, "input": input })
    }

    fn message(&self, content: &Value, stop_reason: Option<&str>, output_tokens: u64) -> Value {
        json!({
            "id": format!("msg_{}", self.id),
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": stop_reason,
            "stop_sequence": null,
            "usage": {
                "input_tokens": INPUT_TOKENS_PER_REPLY,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                "output_tokens": output_tokens,
            },
        })
    }
}

/// Cuts `text` into pieces of at most [`DELTA_CHARS`] characters.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(DELTA_CHARS).map(String::from_iter).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(content: Content) -> Reply {
        Reply { id: "7".to_owned(), model: "claude-test".to_owned(), content }
    }

    fn types(events: &[Value]) -> Vec<&str> {
        events.iter().map(|event| event["type"].as_str().unwrap()).collect()
    }

    fn joined(events: &[Value], member: &str) -> String {
        events.iter().filter_map(|event| event["delta"][member].as_str()).collect()
    }

    #[test]
    fn streams_a_text_in_the_order_the_api_does() {
        let events = reply(Content::Text("Done.".to_owned())).events();
        let expected = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ];
        assert_eq!(types(&events), expected);
        assert_eq!(events[4]["delta"]["stop_reason"], "end_turn");
        assert_eq!(events[4]["usage"]["output_tokens"], OUTPUT_TOKENS_PER_REPLY);
    }

    #[test]
    fn streams_a_long_text_in_pieces_that_add_up() {
        let text = "it's 2 of 5 — naïve but whole. ".repeat(20);
        let events = reply(Content::Text(text.clone())).events();
        assert!(events.len() > 20, "only {} events", events.len());
        assert_eq!(joined(&events, "text"), text);
    }

    #[test]
    fn streams_tool_arguments_as_partial_json() {
        let input = json!({ "command": "cage-send progress_update --status \"it's on\"" });
        let events = reply(Content::ToolUse { name: "Bash".to_owned(), input: input.clone() }).events();
        assert_eq!(events[1]["content_block"]["input"], json!({}), "arguments come in deltas only");
        let joined: Value = serde_json::from_str(&joined(&events, "partial_json")).unwrap();
        assert_eq!(joined, input);
    }

    #[test]
    fn answers_whole_with_the_same_content() {
        let whole =
            reply(Content::ToolUse { name: "Read".to_owned(), input: json!({ "file_path": "a" }) }).whole();
        let block =
            json!({ "type": "tool_use", "id": "toolu_7", "name": "Read", "input": { "file_path": "a" } });
        assert_eq!(whole["content"], json!([block]));
        assert_eq!(whole["stop_reason"], "tool_use");
    }
}
