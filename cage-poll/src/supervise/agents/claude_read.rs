//! Claude Code's stream of JSON lines.
//!
//! Only what is needed is looked at, and everything may be missing: the lines change between versions.

use cage_proto::agent::Usage;
use serde_json::Value;

use super::agent::{Ended, Heard};
use crate::supervise::machine::{Cause, Crash, Ending};

/// The model that Claude Code names when it speaks in the model's place, to say what went wrong.
const NOT_A_MODEL: &str = "<synthetic>";

/// Begins what it says when the API failed.
const API_ERROR: &str = "API Error";

/// Begins what it says when it does not know a conversation.
const NO_CONVERSATION: &str = "No conversation found";

/// Failures of the API that another try does not mend.
const LASTING: [&str; 4] =
    ["authentication_failed", "billing_error", "invalid_request", "oauth_org_not_allowed"];

/// What one turn's stream has said so far.
#[derive(Debug, Default)]
pub(in crate::supervise) struct ClaudeReader {
    result: Option<TurnResult>,
    api_error: Option<String>,
}

#[derive(Debug)]
struct TurnResult {
    is_error: bool,
    text: String,
}

impl ClaudeReader {
    pub(super) fn hear(&mut self, line: &[u8]) -> Vec<Heard> {
        let Ok(line) = serde_json::from_slice::<Value>(line) else { return Vec::new() };
        match line["type"].as_str() {
            Some("system") => self.hear_system(&line),
            Some("assistant") => self.hear_assistant(&line),
            Some("result") => self.hear_result(&line),
            _ => Vec::new(),
        }
    }

    fn hear_system(&mut self, line: &Value) -> Vec<Heard> {
        match line["subtype"].as_str() {
            Some("init") => conversation(line).into_iter().collect(),
            Some("api_retry") => {
                let error = line["error"].as_str().unwrap_or("unknown");
                self.api_error = Some(error.to_owned());
                let status = line["error_status"].as_u64().map(|status| format!("{status} "));
                let attempt = line["attempt"].as_u64().unwrap_or_default();
                let status = status.unwrap_or_default();
                vec![Heard::Trouble(format!("the API answered {status}{error}, try {attempt}"))]
            }
            _ => Vec::new(),
        }
    }

    fn hear_assistant(&mut self, line: &Value) -> Vec<Heard> {
        let message = &line["message"];
        if message["model"] == NOT_A_MODEL {
            return Vec::new();
        }
        // The API is well again.
        self.api_error = None;
        let mut heard = vec![Heard::Spoke];
        let blocks = message["content"].as_array().into_iter().flatten();
        let tools = blocks.filter(|block| block["type"] == "tool_use");
        heard.extend(tools.filter_map(|tool| Some(Heard::Tool(tool["name"].as_str()?.to_owned()))));
        heard
    }

    fn hear_result(&mut self, line: &Value) -> Vec<Heard> {
        let errors = line["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let text = match line["result"].as_str() {
            Some(text) => text.to_owned(),
            None => errors.collect::<Vec<_>>().join("; "),
        };
        let is_error = line["is_error"].as_bool().unwrap_or(false);
        let known = !text.starts_with(NO_CONVERSATION);
        self.result = Some(TurnResult { is_error, text });
        let usage = serde_json::from_value::<Usage>(line["usage"].clone()).unwrap_or_default();
        let cost = Heard::Cost { usd: line["total_cost_usd"].as_f64().unwrap_or_default(), usage };
        let conversation = conversation(line).filter(|_| known);
        conversation.into_iter().chain([cost]).collect()
    }

    pub(super) fn ending(&self, ended: Ended, tail: &str) -> Ending {
        match (&self.result, ended) {
            (Some(result), Ended::Code(0)) if !result.is_error => {
                Ending::Finished { last_words: result.text.clone() }
            }
            (Some(result), _) if result.is_error => self.failed(&result.text, ended),
            (None, Ended::Code(0)) => {
                crash(format!("the agent ended without a result; the end of its log:\n{tail}"), Cause::Other)
            }
            _ => crash(format!("the agent ended with {ended}; the end of its log:\n{tail}"), Cause::Other),
        }
    }

    fn failed(&self, text: &str, ended: Ended) -> Ending {
        let lasting = self.api_error.as_ref().is_some_and(|error| LASTING.contains(&error.as_str()));
        let cause = match text {
            text if text.starts_with(NO_CONVERSATION) => Cause::ConversationLost,
            text if text.starts_with(API_ERROR) && !lasting => Cause::Transient,
            _ => Cause::Other,
        };
        let error = self.api_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        crash(format!("{text}{error}; the agent ended with {ended}"), cause)
    }
}

fn conversation(line: &Value) -> Option<Heard> {
    line["session_id"].as_str().map(|id| Heard::Conversation(id.to_owned()))
}

fn crash(reason: String, cause: Cause) -> Ending {
    Ending::Crashed(Crash { reason, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Lines as Claude Code 2.1.197 writes them, shortened.
    const INIT: &str = r#"{"type":"system","subtype":"init","session_id":"9b2f","model":"m"}"#;
    const TOOL: &str = r#"{"type":"assistant","message":{"model":"m","content":[{"type":"tool_use","name":"Bash","input":{}}]},"session_id":"9b2f"}"#;
    const RESULT: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"All done.","session_id":"9b2f","total_cost_usd":0.002,"usage":{"input_tokens":200,"output_tokens":40,"server_tool_use":{"web_search_requests":0}}}"#;
    const RETRY: &str = r#"{"type":"system","subtype":"api_retry","attempt":2,"max_retries":10,"error_status":529,"error":"overloaded"}"#;
    const SORRY: &str = r#"{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: Repeated 529"}]}}"#;
    const FAILED: &str = r#"{"type":"result","subtype":"success","is_error":true,"result":"API Error: Repeated 529 Overloaded errors.","session_id":"9b2f"}"#;
    const LOST: &str = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"session_id":"9b2f","errors":["No conversation found with session ID: 9b2f"]}"#;

    fn read(lines: &[&str]) -> (ClaudeReader, Vec<Heard>) {
        let mut reader = ClaudeReader::default();
        let heard = lines.iter().flat_map(|line| reader.hear(line.as_bytes())).collect();
        (reader, heard)
    }

    fn cause(lines: &[&str], ended: Ended) -> Option<Cause> {
        match read(lines).0.ending(ended, "tail") {
            Ending::Crashed(crash) => Some(crash.cause),
            Ending::Finished { .. } => None,
        }
    }

    #[test]
    fn hears_conversation_tools_and_cost() {
        let usage = Usage { input_tokens: 200, output_tokens: 40, ..Usage::default() };
        let conversation = Heard::Conversation("9b2f".into());
        let expected = [
            conversation.clone(),
            Heard::Spoke,
            Heard::Tool("Bash".into()),
            conversation,
            Heard::Cost { usd: 0.002, usage },
        ];
        let (reader, heard) = read(&[INIT, TOOL, RESULT]);
        assert_eq!(heard, expected);
        let finished = Ending::Finished { last_words: "All done.".into() };
        assert_eq!(reader.ending(Ended::Code(0), ""), finished);
    }

    #[test]
    fn does_not_take_an_apology_for_the_model() {
        assert_eq!(read(&[SORRY]).1, []);
    }

    #[test]
    fn retries_when_the_api_failed_and_may_recover() {
        assert_eq!(cause(&[INIT, RETRY, SORRY, FAILED], Ended::Code(1)), Some(Cause::Transient));
        assert_eq!(cause(&[INIT, SORRY, FAILED], Ended::Code(1)), Some(Cause::Transient));
        let refused = RETRY.replace("overloaded", "authentication_failed");
        assert_eq!(cause(&[INIT, &refused, FAILED], Ended::Code(1)), Some(Cause::Other));
    }

    #[test]
    fn sees_that_the_conversation_is_lost_and_does_not_believe_its_id() {
        assert_eq!(cause(&[LOST], Ended::Code(1)), Some(Cause::ConversationLost));
        assert!(!read(&[LOST]).1.contains(&Heard::Conversation("9b2f".into())));
    }

    #[test]
    fn takes_an_end_without_a_result_for_a_crash() {
        for ended in [Ended::Code(0), Ended::Code(1), Ended::Signal(9)] {
            assert_eq!(cause(&[INIT, TOOL], ended), Some(Cause::Other), "{ended}");
        }
        assert_eq!(cause(&[INIT, RESULT], Ended::Signal(9)), Some(Cause::Other));
    }

    #[test]
    fn survives_lines_of_any_shape() {
        let (_, heard) = read(&["", "[]", "{\"type\":7}", "{\"type\":\"assistant\"}", "not json"]);
        assert_eq!(heard, [Heard::Spoke]);
    }
}
