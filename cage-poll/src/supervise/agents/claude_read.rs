//! What Claude Code's stream of JSON lines means for a supervisor.

use cage_proto::agent::{ApiRetry, StreamBlock, StreamLine, StreamResult};

use super::agent::{Ended, Heard};
use crate::api_failure::is_lasting;
use crate::supervise::machine::{Cause, Crash, Ending};

/// Begins what it says when the API failed.
const API_ERROR: &str = "API Error";

/// Begins what it says when it does not know a conversation.
const NO_CONVERSATION: &str = "No conversation found";

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
        match StreamLine::parse(line) {
            Some(StreamLine::Init { session_id, .. }) => conversation(session_id).into_iter().collect(),
            Some(StreamLine::ApiRetry(retry)) => self.hear_retry(retry),
            Some(StreamLine::Assistant { synthetic: false, blocks }) => self.hear_model(blocks),
            Some(StreamLine::Result(result)) => self.hear_result(result),
            _ => Vec::new(),
        }
    }

    fn hear_retry(&mut self, retry: ApiRetry) -> Vec<Heard> {
        let status = retry.status.map(|status| format!("{status} ")).unwrap_or_default();
        let trouble = format!("the API answered {status}{}, try {}", retry.error, retry.attempt);
        self.api_error = Some(retry.error);
        vec![Heard::Trouble(trouble)]
    }

    fn hear_model(&mut self, blocks: Vec<StreamBlock>) -> Vec<Heard> {
        // The API is well again.
        self.api_error = None;
        let tools = blocks.into_iter().filter_map(|block| match block {
            StreamBlock::ToolUse { name, .. } => Some(Heard::Tool(name)),
            _ => None,
        });
        [Heard::Spoke].into_iter().chain(tools).collect()
    }

    fn hear_result(&mut self, result: StreamResult) -> Vec<Heard> {
        let StreamResult { session_id, is_error, text, cost_usd, usage, .. } = result;
        let known = !text.starts_with(NO_CONVERSATION);
        self.result = Some(TurnResult { is_error, text });
        let conversation = conversation(session_id).filter(|_| known);
        conversation.into_iter().chain([Heard::Cost { usd: cost_usd, usage }]).collect()
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
        let lasting = self.api_error.as_ref().is_some_and(|error| is_lasting(error));
        let cause = match text {
            text if text.starts_with(NO_CONVERSATION) => Cause::ConversationLost,
            text if text.starts_with(API_ERROR) && !lasting => Cause::Transient,
            _ => Cause::Other,
        };
        let error = self.api_error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
        crash(format!("{text}{error}; the agent ended with {ended}"), cause)
    }
}

fn conversation(id: Option<String>) -> Option<Heard> {
    id.map(Heard::Conversation)
}

fn crash(reason: String, cause: Cause) -> Ending {
    Ending::Crashed(Crash { reason, cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cage_proto::agent::Usage;

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
