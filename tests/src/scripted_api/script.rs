//! The script: an ordered list of turns, and what to answer when it is used up.

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// One answer of the scripted model.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Turn {
    /// Says this and ends its turn.
    Say(String),
    /// Runs a command in the agent's shell.
    Bash {
        /// The command line.
        command: String,
        /// What the agent says the command is for.
        description: String,
    },
    /// Calls any other tool.
    Tool {
        /// The tool's name, for example `Write`.
        name: String,
        /// The tool's arguments.
        input: Value,
    },
    /// Fails with this HTTP status and the API's error body.
    Status(ErrorStatus),
    /// Answers 200 with bytes that are no event stream.
    Garbage,
    /// Accepts the request and never answers.
    Hang,
}

impl Turn {
    /// Says `text` and ends the turn.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say(text.into())
    }

    /// Runs `command` in the agent's shell.
    pub fn bash(command: impl Into<String>, description: impl Into<String>) -> Self {
        Self::Bash { command: command.into(), description: description.into() }
    }

    /// Calls the tool `name` with `input`.
    pub fn tool(name: impl Into<String>, input: Value) -> Self {
        Self::Tool { name: name.into(), input }
    }

    /// Fails with HTTP status `code`.
    ///
    /// # Panics
    /// When `code` is no error status: the script itself is wrong.
    pub fn status(code: u16) -> Self {
        Self::Status(ErrorStatus::try_from(code).expect("a script fails only with an error status"))
    }

    /// Answers with bytes that are no event stream.
    pub fn garbage() -> Self {
        Self::Garbage
    }

    /// Never answers.
    pub fn hang() -> Self {
        Self::Hang
    }
}

/// An HTTP status from 400 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u16")]
pub struct ErrorStatus(StatusCode);

impl ErrorStatus {
    /// What the scripted API itself answers to a path it does not know.
    pub(super) const NOT_FOUND: Self = Self(StatusCode::NOT_FOUND);

    pub(super) fn code(self) -> StatusCode {
        self.0
    }

    /// The name that the Messages API gives this status in its error body.
    pub(super) fn error_type(self) -> &'static str {
        match self.0.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500..=599 => "api_error",
            _ => "invalid_request_error",
        }
    }
}

impl TryFrom<u16> for ErrorStatus {
    type Error = ScriptError;

    fn try_from(code: u16) -> Result<Self, ScriptError> {
        match StatusCode::from_u16(code) {
            Ok(status) if status.is_client_error() || status.is_server_error() => Ok(Self(status)),
            _ => Err(ScriptError::NotAnErrorStatus(code)),
        }
    }
}

/// What the scripted model does, turn by turn, in one conversation.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    turns: Vec<Turn>,
    /// Answers every request after the last turn; without it such a request overruns the script.
    #[serde(default)]
    forever: Option<Turn>,
}

impl Script {
    /// Plays `turns` in order, once.
    pub fn new(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self { turns: turns.into_iter().collect(), forever: None }
    }

    /// Answers every request after the last turn with `turn`, for example to stay broken.
    #[must_use]
    pub fn then_forever(mut self, turn: Turn) -> Self {
        self.forever = Some(turn);
        self
    }

    /// Reads a script from a JSON file such as `{"turns": [{"status": 529}, {"say": "Done."}]}`.
    ///
    /// # Errors
    /// When the file cannot be read or is no script.
    pub fn from_file(path: &Path) -> Result<Self, ScriptError> {
        let bytes = std::fs::read(path)
            .map_err(|source| ScriptError::Unreadable { path: path.to_owned(), source })?;
        serde_json::from_slice(&bytes)
            .map_err(|source| ScriptError::Malformed { path: path.to_owned(), source })
    }

    /// How many turns it has, not counting the one that repeats for ever.
    pub fn len(&self) -> usize {
        self.turns.len()
    }

    /// Whether it has no turn of its own.
    pub fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// The answer to the request with this index, counted from 0.
    pub(super) fn turn(&self, index: usize) -> Option<&Turn> {
        self.turns.get(index).or(self.forever.as_ref())
    }
}

/// Why something is no script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The file could not be read.
    #[error("reading the script {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a script in JSON.
    #[error("the file {} is no script", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it stops being one.
        source: serde_json::Error,
    },
    /// A failing turn needs an error status.
    #[error("{0} is no HTTP error status (400 to 599)")]
    NotAnErrorStatus(u16),
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(json: &str) -> Result<Script, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn accepts_every_kind_of_turn_in_json() {
        let script = parse(
            r#"{"turns": [{"say": "hi"}, {"bash": {"command": "ls", "description": "List"}},
                {"tool": {"name": "Write", "input": {"file_path": "a"}}}, {"status": 529}, "garbage", "hang"]}"#,
        );
        let expected = Script::new([
            Turn::say("hi"),
            Turn::bash("ls", "List"),
            Turn::tool("Write", json!({ "file_path": "a" })),
            Turn::status(529),
            Turn::garbage(),
            Turn::hang(),
        ]);
        assert_eq!(script.unwrap(), expected);
    }

    #[test]
    fn rejects_a_status_that_is_no_error() {
        let error = parse(r#"{"turns": [{"status": 200}]}"#).unwrap_err().to_string();
        assert!(error.contains("200 is no HTTP error status (400 to 599)"), "{error}");
    }

    #[test]
    fn rejects_an_unknown_kind_of_turn() {
        let error = parse(r#"{"turns": [{"sing": "la"}]}"#).unwrap_err().to_string();
        assert!(error.contains("unknown variant `sing`"), "{error}");
    }

    #[test]
    fn repeats_its_last_word_only_when_told_to() {
        let once = Script::new([Turn::say("one")]);
        assert_eq!(once.turn(1), None);
        assert_eq!(once.then_forever(Turn::status(500)).turn(7), Some(&Turn::status(500)));
    }
}
