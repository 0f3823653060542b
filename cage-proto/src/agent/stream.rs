//! Claude Code's stream of JSON lines, as the runtime follows it in the cage and a host reads it in the log.
//!
//! Only what somebody needs is looked at, and everything may be missing: the lines change between versions. Nothing in
//! them is to be trusted: the agent can print such lines itself.

use serde_json::Value;

use super::session::Usage;

/// The model that Claude Code names when it speaks in the model's place, to say what went wrong.
const NOT_A_MODEL: &str = "<synthetic>";

/// One line of the stream.
///
/// ```
/// use cage_proto::agent::{StreamBlock, StreamLine};
///
/// let line = r#"{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"Hello."}]}}"#;
/// let Some(StreamLine::Assistant { blocks, .. }) = StreamLine::parse(line.as_bytes()) else { panic!() };
/// assert_eq!(blocks, [StreamBlock::Text("Hello.".to_owned())]);
/// assert_eq!(StreamLine::parse(b"a warning on stderr"), None);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum StreamLine {
    /// A process of the agent begins, in a conversation that is new or resumed.
    Init {
        /// The id of the conversation.
        session_id: Option<String>,
        /// The model that is to answer.
        model: Option<String>,
        /// The tools that it may use.
        tools: Vec<String>,
    },
    /// The API failed and is asked again.
    ApiRetry(ApiRetry),
    /// Something else about the agent itself, by its subtype.
    System(String),
    /// The model said or did something, or the agent spoke in its place.
    Assistant {
        /// Whether the agent spoke in the model's place, to say what went wrong.
        synthetic: bool,
        /// What was said and done, in order.
        blocks: Vec<StreamBlock>,
    },
    /// What the model got to read: results of tools, or the words of a turn.
    User(Vec<StreamBlock>),
    /// A process of the agent is about to end.
    Result(StreamResult),
    /// A line of a type that this version does not know.
    Other(String),
}

/// A failure of the API after which the agent tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRetry {
    /// How often it was tried, from 1.
    pub attempt: u64,
    /// The HTTP status of the answer, if there was one.
    pub status: Option<u64>,
    /// A short name for the failure, as in `overloaded` or `authentication_failed`.
    pub error: String,
}

/// A part of what was said.
#[derive(Debug, Clone, PartialEq)]
pub enum StreamBlock {
    /// Words.
    Text(String),
    /// Words that the model said to itself.
    Thinking(String),
    /// A tool is to be used.
    ToolUse {
        /// The name that its result repeats.
        id: String,
        /// The tool.
        name: String,
        /// What it was given.
        input: Value,
    },
    /// What a tool answered.
    ToolResult {
        /// The name of its use.
        id: String,
        /// Whether it failed.
        is_error: bool,
        /// What it said, its pieces of text on lines of their own.
        text: String,
    },
    /// A part of a type that this version does not know.
    Other(String),
}

/// How a process of the agent ended.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamResult {
    /// The id of the conversation.
    pub session_id: Option<String>,
    /// Whether it failed; its subtype says `success` all the same when the API did.
    pub is_error: bool,
    /// Its last words, or what went wrong.
    pub text: String,
    /// What this process cost, in US dollars. A resumed conversation begins at zero again.
    pub cost_usd: f64,
    /// Tokens of this process.
    pub usage: Usage,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
}

impl StreamLine {
    /// Reads one line; nothing for what is no JSON object with a type, such as the agent's error output.
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line: Value = serde_json::from_slice(line).ok()?;
        Some(match line["type"].as_str()? {
            "system" => system(&line),
            "assistant" => Self::Assistant {
                synthetic: line["message"]["model"] == NOT_A_MODEL,
                blocks: blocks(&line["message"]["content"]),
            },
            "user" => Self::User(blocks(&line["message"]["content"])),
            "result" => Self::Result(result(&line)),
            other => Self::Other(other.to_owned()),
        })
    }
}

fn system(line: &Value) -> StreamLine {
    match line["subtype"].as_str().unwrap_or_default() {
        "init" => StreamLine::Init {
            session_id: text(&line["session_id"]),
            model: text(&line["model"]),
            tools: line["tools"].as_array().into_iter().flatten().filter_map(text).collect(),
        },
        "api_retry" => StreamLine::ApiRetry(ApiRetry {
            attempt: line["attempt"].as_u64().unwrap_or_default(),
            status: line["error_status"].as_u64(),
            error: text(&line["error"]).unwrap_or_else(|| "unknown".to_owned()),
        }),
        other => StreamLine::System(other.to_owned()),
    }
}

/// Reads a message's content, which is a list of blocks or plain words.
fn blocks(content: &Value) -> Vec<StreamBlock> {
    match content {
        Value::String(words) => vec![StreamBlock::Text(words.clone())],
        Value::Array(blocks) => blocks.iter().map(block).collect(),
        _ => Vec::new(),
    }
}

fn block(block: &Value) -> StreamBlock {
    let member = |name| text(&block[name]).unwrap_or_default();
    match block["type"].as_str().unwrap_or_default() {
        "text" => StreamBlock::Text(member("text")),
        "thinking" => StreamBlock::Thinking(member("thinking")),
        "tool_use" => {
            StreamBlock::ToolUse { id: member("id"), name: member("name"), input: block["input"].clone() }
        }
        "tool_result" => StreamBlock::ToolResult {
            id: member("tool_use_id"),
            is_error: block["is_error"].as_bool().unwrap_or(false),
            text: words(&block["content"]),
        },
        other => StreamBlock::Other(other.to_owned()),
    }
}

/// The words of a tool's result, which are plain or in a list of blocks.
fn words(content: &Value) -> String {
    let texts: Vec<String> = match content {
        Value::String(words) => return words.clone(),
        Value::Array(blocks) => blocks.iter().filter_map(|block| text(&block["text"])).collect(),
        _ => Vec::new(),
    };
    texts.join("\n")
}

fn result(line: &Value) -> StreamResult {
    let errors = || line["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    StreamResult {
        session_id: text(&line["session_id"]),
        is_error: line["is_error"].as_bool().unwrap_or(false),
        text: text(&line["result"]).unwrap_or_else(|| errors().collect::<Vec<_>>().join("; ")),
        cost_usd: line["total_cost_usd"].as_f64().unwrap_or_default(),
        usage: serde_json::from_value(line["usage"].clone()).unwrap_or_default(),
        duration_ms: line["duration_ms"].as_u64(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> StreamLine {
        StreamLine::parse(line.as_bytes()).unwrap()
    }

    // Lines as Claude Code 2.1.197 writes them, shortened.
    #[test]
    fn reads_the_lines_that_claude_code_writes() {
        let init = r#"{"type":"system","subtype":"init","session_id":"9b2f","model":"m","tools":["Bash"]}"#;
        let tools = vec!["Bash".to_owned()];
        assert_eq!(
            parse(init),
            StreamLine::Init { session_id: Some("9b2f".into()), model: Some("m".into()), tools }
        );
        let retry =
            r#"{"type":"system","subtype":"api_retry","attempt":2,"error_status":529,"error":"overloaded"}"#;
        assert_eq!(
            parse(retry),
            StreamLine::ApiRetry(ApiRetry { attempt: 2, status: Some(529), error: "overloaded".into() })
        );
        let hook = r#"{"type":"system","subtype":"hook_started","hook_name":"SessionStart:startup"}"#;
        assert_eq!(parse(hook), StreamLine::System("hook_started".into()));
    }

    #[test]
    fn reads_what_was_said_and_done() {
        let line = r#"{"type":"assistant","message":{"model":"m","content":[{"type":"thinking","thinking":"hm"},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}},{"type":"new"}]}}"#;
        let StreamLine::Assistant { synthetic: false, blocks } = parse(line) else { panic!() };
        assert_eq!(blocks[0], StreamBlock::Thinking("hm".into()));
        assert!(
            matches!(&blocks[1], StreamBlock::ToolUse { id, name, input } if id == "t1" && name == "Bash" && input["command"] == "ls")
        );
        assert_eq!(blocks[2], StreamBlock::Other("new".into()));
        let answer = r#"{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}}"#;
        let expected = StreamBlock::ToolResult { id: "t1".into(), is_error: true, text: "a\nb".into() };
        assert_eq!(parse(answer), StreamLine::User(vec![expected]));
        assert_eq!(
            parse(r#"{"type":"user","message":{"content":"go on"}}"#),
            StreamLine::User(vec![StreamBlock::Text("go on".into())])
        );
    }

    #[test]
    fn tells_the_agent_from_its_model() {
        let sorry = r#"{"type":"assistant","message":{"model":"<synthetic>","content":[]}}"#;
        assert_eq!(parse(sorry), StreamLine::Assistant { synthetic: true, blocks: Vec::new() });
    }

    #[test]
    fn reads_how_it_ended() {
        let line = r#"{"type":"result","subtype":"success","is_error":false,"result":"Done.","session_id":"9b2f","total_cost_usd":0.002,"duration_ms":7,"usage":{"input_tokens":200,"server_tool_use":{}}}"#;
        let StreamLine::Result(result) = parse(line) else { panic!() };
        assert_eq!((result.text.as_str(), result.cost_usd, result.duration_ms), ("Done.", 0.002, Some(7)));
        assert_eq!(result.usage.input_tokens, 200);
        let failed = r#"{"type":"result","is_error":true,"errors":["one","two"]}"#;
        let StreamLine::Result(result) = parse(failed) else { panic!() };
        assert!(result.is_error && result.text == "one; two");
    }

    proptest::proptest! {
        #[test]
        fn survives_any_bytes(line: Vec<u8>) {
            let _ = StreamLine::parse(&line);
        }
    }

    #[test]
    fn survives_lines_of_any_shape() {
        for line in ["", "[]", "{}", "null", r#"{"type":7}"#, "not json"] {
            assert_eq!(StreamLine::parse(line.as_bytes()), None, "{line}");
        }
        let nothing = StreamLine::Assistant { synthetic: false, blocks: Vec::new() };
        assert_eq!(parse(r#"{"type":"assistant"}"#), nothing);
        assert_eq!(parse(r#"{"type":"result","usage":7}"#), StreamLine::Result(result(&Value::Null)));
        assert_eq!(parse(r#"{"type":"rate_limit_event"}"#), StreamLine::Other("rate_limit_event".into()));
    }
}
