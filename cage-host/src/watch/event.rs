//! One line of the agent's log, as typed events.

use std::fmt;
use std::time::Duration;

use cage_proto::agent::{StreamBlock, StreamLine, StreamResult, Usage};

use super::log::MAX_LOG_LINE_BYTES;
use crate::sanitize::sanitize;

/// Characters of one text in an event; the rest is counted and left out.
pub const MAX_EVENT_CHARS: usize = 20_000;

/// Tools that are named when an agent begins.
const MAX_TOOLS: usize = 200;

/// Begins a line of the supervisor.
const SUPERVISOR: &str = "cage-poll: ";

/// Something in the agent's log.
///
/// All text is safe to show and has at most [`MAX_EVENT_CHARS`] characters. The agent can write such lines itself, so
/// an event is what the log says, not what happened. `Display` gives one short line.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum LogEvent {
    /// A process of the agent has begun.
    Started {
        /// The id of its conversation.
        session_id: Option<String>,
        /// The model that answers it.
        model: Option<String>,
        /// The tools that it may use.
        tools: Vec<String>,
    },
    /// The model said something.
    Text(String),
    /// The model said something to itself.
    Thinking(String),
    /// The model uses a tool.
    ToolUse {
        /// The name that the result repeats.
        id: String,
        /// The tool.
        name: String,
        /// What it was given, as JSON.
        input: String,
    },
    /// A tool has answered.
    ToolResult {
        /// The name of its use.
        id: String,
        /// Whether it failed.
        is_error: bool,
        /// What it said.
        text: String,
    },
    /// The agent was told something, for example its task.
    Told(String),
    /// The API failed, and the agent tries again.
    ApiRetry {
        /// How often it has tried, from 1.
        attempt: u64,
        /// The HTTP status, for example 401 or 529, if there was an answer.
        status: Option<u64>,
        /// A short name for the failure.
        error: String,
    },
    /// The agent said in the model's place what went wrong.
    Trouble(String),
    /// A process of the agent is about to end.
    Finished {
        /// Whether it failed.
        is_error: bool,
        /// Its last words, or what went wrong.
        text: String,
        /// What this process cost, in US dollars, as the agent says.
        cost_usd: f64,
        /// Its tokens.
        usage: Usage,
        /// How long it took.
        took: Option<Duration>,
    },
    /// Something else about the agent itself, by its name, for example `hook_started`.
    System(String),
    /// The supervisor said something.
    Supervisor(String),
    /// A line of a type that this version does not know.
    Other(String),
    /// A line that is none of the agent's events, for example of its error output.
    Raw(String),
    /// A line of more than [`MAX_LOG_LINE_BYTES`] was left out.
    TooLong,
    /// The log was replaced faster than it could be read: lines are missing here.
    Lost,
}

impl LogEvent {
    /// Reads a line; one can hold several events, and an empty one holds none.
    pub(super) fn read(line: &[u8]) -> Vec<Self> {
        if line.len() > MAX_LOG_LINE_BYTES {
            return vec![Self::TooLong];
        }
        match StreamLine::parse(line) {
            Some(line) => events(line),
            None => raw(&String::from_utf8_lossy(line)),
        }
    }
}

fn raw(text: &str) -> Vec<LogEvent> {
    let text = text.trim_end();
    match text.strip_prefix(SUPERVISOR) {
        _ if text.is_empty() => Vec::new(),
        Some(said) => vec![LogEvent::Supervisor(shown(said))],
        None => vec![LogEvent::Raw(shown(text))],
    }
}

fn events(line: StreamLine) -> Vec<LogEvent> {
    match line {
        StreamLine::Init { session_id, model, tools } => vec![LogEvent::Started {
            session_id: session_id.as_deref().map(shown),
            model: model.as_deref().map(shown),
            tools: tools.iter().take(MAX_TOOLS).map(|tool| shown(tool)).collect(),
        }],
        StreamLine::ApiRetry(retry) => vec![LogEvent::ApiRetry {
            attempt: retry.attempt,
            status: retry.status,
            error: shown(&retry.error),
        }],
        StreamLine::Assistant { synthetic: true, blocks } => blocks.into_iter().map(trouble).collect(),
        StreamLine::Assistant { blocks, .. } => blocks.into_iter().map(block).collect(),
        StreamLine::User(blocks) => blocks.into_iter().map(told).collect(),
        StreamLine::Result(result) => vec![finished(&result)],
        StreamLine::System(subtype) => vec![LogEvent::System(shown(&subtype))],
        StreamLine::Other(kind) => vec![LogEvent::Other(shown(&kind))],
    }
}

fn block(block: StreamBlock) -> LogEvent {
    match block {
        StreamBlock::Text(text) => LogEvent::Text(shown(&text)),
        StreamBlock::Thinking(text) => LogEvent::Thinking(shown(&text)),
        StreamBlock::ToolUse { id, name, input } => {
            LogEvent::ToolUse { id: shown(&id), name: shown(&name), input: shown(&input.to_string()) }
        }
        StreamBlock::ToolResult { id, is_error, text } => {
            LogEvent::ToolResult { id: shown(&id), is_error, text: shown(&text) }
        }
        StreamBlock::Other(kind) => LogEvent::Other(shown(&kind)),
    }
}

fn told(said: StreamBlock) -> LogEvent {
    match said {
        StreamBlock::Text(text) => LogEvent::Told(shown(&text)),
        other => block(other),
    }
}

fn trouble(said: StreamBlock) -> LogEvent {
    match said {
        StreamBlock::Text(text) => LogEvent::Trouble(shown(&text)),
        other => block(other),
    }
}

fn finished(result: &StreamResult) -> LogEvent {
    LogEvent::Finished {
        is_error: result.is_error,
        text: shown(&result.text),
        cost_usd: result.cost_usd,
        usage: result.usage,
        took: result.duration_ms.map(Duration::from_millis),
    }
}

/// Makes text safe to show and cuts it.
pub(super) fn shown(text: &str) -> String {
    let left = text.chars().count().saturating_sub(MAX_EVENT_CHARS);
    if left == 0 {
        return sanitize(text);
    }
    let kept: String = text.chars().take(MAX_EVENT_CHARS).collect();
    format!("{} … ({left} more characters)", sanitize(&kept))
}

/// Characters of a text in the one line that stands for an event.
const LINE_CHARS: usize = 160;

/// Shows the beginning of a text on one line.
pub(super) fn brief(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(LINE_CHARS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

impl fmt::Display for LogEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { model, tools, .. } => {
                let model = model.as_deref().unwrap_or("an unknown model");
                write!(f, "started with {} and {} tools", brief(model), tools.len())
            }
            Self::Text(text) => write!(f, "said: {}", brief(text)),
            Self::Thinking(text) => write!(f, "thought: {}", brief(text)),
            Self::ToolUse { name, input, .. } => write!(f, "uses {}: {}", brief(name), brief(input)),
            Self::ToolResult { is_error: true, text, .. } => write!(f, "the tool failed: {}", brief(text)),
            Self::ToolResult { text, .. } => write!(f, "the tool answered: {}", brief(text)),
            Self::Told(text) => write!(f, "was told: {}", brief(text)),
            Self::ApiRetry { attempt, status, error } => {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                write!(f, "the API answered {status}{}, try {attempt}", brief(error))
            }
            Self::Trouble(text) => write!(f, "trouble: {}", brief(text)),
            Self::Finished { is_error, text, cost_usd, .. } => {
                let how = if *is_error { "failed" } else { "finished" };
                write!(f, "{how} for {cost_usd:.4} USD: {}", brief(text))
            }
            Self::System(what) => write!(f, "system: {}", brief(what)),
            Self::Supervisor(text) => write!(f, "supervisor: {}", brief(text)),
            Self::Other(kind) => write!(f, "something of type {}", brief(kind)),
            Self::Raw(text) => f.write_str(&brief(text)),
            Self::TooLong => write!(f, "a line over {MAX_LOG_LINE_BYTES} bytes was left out"),
            Self::Lost => f.write_str("lines are missing here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> String {
        let events = lines.lines().flat_map(|line| LogEvent::read(line.as_bytes()));
        events.map(|event| event.to_string()).collect::<Vec<_>>().join("\n")
    }

    // Lines as Claude Code 2.1.197 writes them, shortened.
    const LOG: &str = r#"{"type":"system","subtype":"hook_started","hook_name":"SessionStart:startup"}
{"type":"system","subtype":"init","session_id":"9b2f","model":"opus","tools":["Bash","Edit"]}
{"type":"system","subtype":"api_retry","attempt":2,"error_status":529,"error":"overloaded"}
{"type":"assistant","message":{"model":"m","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I look\naround."},{"type":"tool_use","id":"t1","name":"Bash","input":{"command":"ls"}}]}}
{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":"exit 1"}]}}
{"type":"user","message":{"content":"go on"}}
{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: 401"}]}}
{"type":"rate_limit_event"}
a warning
cage-poll: could not write the log

{"type":"result","is_error":false,"result":"Done.","total_cost_usd":0.25,"duration_ms":1500,"usage":{"output_tokens":4}}"#;

    #[test]
    fn reads_what_an_agent_did() {
        insta::assert_snapshot!(read(LOG), @r#"
        system: hook_started
        started with opus and 2 tools
        the API answered 529 overloaded, try 2
        thought: hm
        said: I look around.
        uses Bash: {"command":"ls"}
        the tool failed: exit 1
        was told: go on
        trouble: API Error: 401
        something of type rate_limit_event
        a warning
        supervisor: could not write the log
        finished for 0.2500 USD: Done.
        "#);
    }

    #[test]
    fn cuts_and_sanitizes_every_text() {
        let long = "\u{1b}".repeat(MAX_EVENT_CHARS + 5);
        let events = LogEvent::read(long.as_bytes());
        let [LogEvent::Raw(text)] = &events[..] else { panic!("{events:?}") };
        assert!(text.ends_with(" … (5 more characters)") && !text.contains('\u{1b}'));
        assert!(events[0].to_string().chars().count() <= LINE_CHARS + 1);
        assert_eq!(LogEvent::read(&vec![b'x'; MAX_LOG_LINE_BYTES + 1]), [LogEvent::TooLong]);
    }

    proptest::proptest! {
        #[test]
        fn shows_no_control_character_of_any_line(bytes: Vec<u8>, text: String) {
            let said = serde_json::json!({"type":"assistant","message":{"content":[{"type":"text","text":text}]}});
            for line in [bytes, said.to_string().into_bytes()] {
                for event in LogEvent::read(&line) {
                    proptest::prop_assert!(!event.to_string().chars().any(char::is_control), "{event:?}");
                }
            }
        }
    }
}
