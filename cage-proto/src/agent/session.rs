//! `session.json`: what the agent is doing, so that a host can tell a stuck agent from a busy one.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::message::{MessageError, Timestamp, parse_object};

/// Session ids that are kept, the newest ones. Each compaction or resume can bring a new one.
const SESSION_IDS_MAX: usize = 64;

/// The state of a supervised agent.
///
/// Only the supervisor writes it. What stands in it when the supervisor was killed is its last word: a host that
/// wonders looks whether `supervisor_pid` still runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Which kind of agent it is, as in `claude`.
    pub agent: String,
    /// What it is doing.
    pub state: State,
    /// Why it is in this state, where that needs a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The process of the running agent.
    #[serde(default)]
    pub pid: Option<u32>,
    /// When that process was started, in the kernel's clock ticks since boot, which tells it from a later process with
    /// the same number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_start_ticks: Option<u64>,
    /// The process that writes this file.
    #[serde(default)]
    pub supervisor_pid: Option<u32>,
    /// Every id that the agent gave its conversation, the present one last. They change on compaction and resume, so
    /// nothing is keyed by one.
    #[serde(default)]
    pub session_ids: Vec<String>,
    /// Which task this is about; a supervisor that is started again with the same one goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_key: Option<String>,
    /// Whether the last instruction still waits for its `task_complete`.
    #[serde(default)]
    pub turn_open: bool,
    /// Instructions that were given to the agent.
    #[serde(default)]
    pub turns: u64,
    /// What they cost so far, in US dollars, as the agent says.
    #[serde(default)]
    pub cost_usd: f64,
    /// Tokens so far, as the agent says.
    #[serde(default)]
    pub usage: Usage,
    /// When the supervisor was started.
    pub started_at: Timestamp,
    /// When the agent last wrote anything, to about a second.
    pub last_activity: Timestamp,
    /// The tool it used last.
    #[serde(default)]
    pub last_tool: Option<String>,
    /// Members that this version does not know; they survive a round trip.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What an agent is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A turn is running, or will be repeated in a moment.
    Working,
    /// The turn is over; a message in the inbox begins the next one.
    Waiting,
    /// Nobody works and nobody waits; the next launch goes on.
    Idle,
    /// The agent crashed and is not started again by itself; a message in the inbox does it.
    Crashed,
    /// The task was reported complete and supervision has ended.
    Done,
    /// A state that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Tokens, added up over all turns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Tokens read at full price.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Tokens put into the cache.
    pub cache_creation_input_tokens: u64,
    /// Tokens read from the cache.
    pub cache_read_input_tokens: u64,
}

/// Says why bytes are no `session.json`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// They are no JSON object within the limits of a message.
    #[error(transparent)]
    Json(#[from] MessageError),
    /// A member is missing or of the wrong shape.
    #[error("not a session: {0}")]
    Member(String),
}

impl Session {
    /// Begins the record of an agent that was never started before.
    pub fn new(agent: impl Into<String>, now: Timestamp) -> Self {
        Self {
            agent: agent.into(),
            state: State::Working,
            reason: None,
            pid: None,
            pid_start_ticks: None,
            supervisor_pid: None,
            session_ids: Vec::new(),
            task_key: None,
            turn_open: false,
            turns: 0,
            cost_usd: 0.0,
            usage: Usage::default(),
            started_at: now.clone(),
            last_activity: now,
            last_tool: None,
            extra: Map::new(),
        }
    }

    /// Reads a session from the bytes of its file, which the agent may have written as well.
    ///
    /// # Errors
    /// [`SessionError::Json`] beyond the limits of a message, [`SessionError::Member`] when a member does not fit.
    pub fn parse(bytes: &[u8]) -> Result<Self, SessionError> {
        let object = parse_object(bytes)?;
        serde_json::from_value(Value::Object(object)).map_err(|error| SessionError::Member(error.to_string()))
    }

    /// Prints the session as it stands in its file.
    pub fn to_file_bytes(&self) -> Vec<u8> {
        // Text, numbers and a `Map` have no value that JSON cannot hold; a cost that is no number becomes `null`.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// Returns the id under which the conversation can be resumed.
    pub fn session_id(&self) -> Option<&str> {
        self.session_ids.last().map(String::as_str)
    }

    /// Takes note of an id that the agent gave its conversation. Returns whether it is another one than before.
    pub fn saw_session_id(&mut self, id: &str) -> bool {
        if self.session_id() == Some(id) {
            return false;
        }
        self.session_ids.retain(|seen| seen != id);
        self.session_ids.push(id.to_owned());
        let surplus = self.session_ids.len().saturating_sub(SESSION_IDS_MAX);
        self.session_ids.drain(..surplus);
        true
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, turn: Self) {
        self.input_tokens = self.input_tokens.saturating_add(turn.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(turn.output_tokens);
        self.cache_creation_input_tokens =
            self.cache_creation_input_tokens.saturating_add(turn.cache_creation_input_tokens);
        self.cache_read_input_tokens =
            self.cache_read_input_tokens.saturating_add(turn.cache_read_input_tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session::new("claude", "2026-03-26T14:30:00.000123Z".parse().unwrap())
    }

    #[test]
    fn prints_what_a_host_reads() {
        let mut session = session();
        session.saw_session_id("9b2f");
        session.last_tool = Some("Bash".to_owned());
        insta::assert_snapshot!(String::from_utf8(session.to_file_bytes()).unwrap(), @r#"
        {
          "agent": "claude",
          "state": "working",
          "pid": null,
          "supervisor_pid": null,
          "session_ids": [
            "9b2f"
          ],
          "turn_open": false,
          "turns": 0,
          "cost_usd": 0.0,
          "usage": {
            "input_tokens": 0,
            "output_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0
          },
          "started_at": "2026-03-26T14:30:00.000123Z",
          "last_activity": "2026-03-26T14:30:00.000123Z",
          "last_tool": "Bash"
        }
        "#);
        assert_eq!(Session::parse(&session.to_file_bytes()).unwrap(), session);
    }

    #[test]
    fn keeps_members_and_survives_states_that_it_does_not_know() {
        let text = r#"{"agent":"x","state":"dreaming","started_at":"2026-03-26T14:30:00Z","last_activity":"2026-03-26T14:30:00Z","mood":"good"}"#;
        let session = Session::parse(text.as_bytes()).unwrap();
        assert_eq!((session.state, &session.extra["mood"]), (State::Unknown, &Value::from("good")));
    }

    #[test]
    fn says_what_is_wrong_with_a_session() {
        let error = Session::parse(br#"{"agent":"x"}"#).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"not a session: missing field `state`");
        assert_eq!(Session::parse(b"{"), Err(MessageError::Incomplete.into()));
    }

    #[test]
    fn remembers_each_session_id_once_and_the_newest_last() {
        let mut session = session();
        assert!(session.saw_session_id("a"));
        assert!(!session.saw_session_id("a"));
        for id in ["b", "a"] {
            assert!(session.saw_session_id(id));
        }
        assert_eq!(session.session_ids, ["b", "a"]);
        for index in 0..100 {
            session.saw_session_id(&index.to_string());
        }
        assert_eq!((session.session_ids.len(), session.session_id()), (SESSION_IDS_MAX, Some("99")));
    }
}
