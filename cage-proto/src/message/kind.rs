//! The message types as a table: who sends each, which members it has, and an example.
//!
//! The check of a payload, the flags and the help of `cage-send`, and the instructions given to an agent are all made
//! from this one table, so that they cannot differ.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::error::MemberError;

/// A message type of this protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The agent says where it is.
    ProgressUpdate,
    /// Something went wrong.
    Error,
    /// The agent needs something from the host.
    InfoRequest,
    /// The agent is done.
    TaskComplete,
    /// Nobody answered in time and the agent stops waiting.
    GoingIdle,
    /// The host answers an `info_request`.
    InfoResponse,
    /// The host wants more, or something else.
    TaskRevision,
    /// The host has taken note of a message.
    Ack,
}

/// Which way a message travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the agent to the host, in the outbox.
    Out,
    /// From the host to the agent, in the inbox.
    In,
}

/// One member of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its name in the JSON.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether a message without it is refused.
    pub required: bool,
    /// What it says, for help texts.
    pub about: &'static str,
}

/// What the value of a member must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits; a boolean is none.
    Integer,
    /// Any number.
    Number,
    /// An array of strings.
    TextList,
    /// An array of objects with a `path` and a `content`, both strings.
    FileList,
}

const fn required(name: &'static str, shape: Shape, about: &'static str) -> Member {
    Member { name, shape, required: true, about }
}

const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Member {
    Member { name, shape, required: false, about }
}

/// One row of the table.
struct Row {
    name: &'static str,
    direction: Direction,
    about: &'static str,
    members: &'static [Member],
    example: &'static str,
}

const PROGRESS_UPDATE: Row = Row {
    name: "progress_update",
    direction: Direction::Out,
    about: "says where the work stands",
    members: &[
        required("status", Shape::Text, "what is being done, in a few words"),
        optional("detail", Shape::Text, "more about it"),
    ],
    example: r#"{"status":"running the tests","detail":"2 of 5 done"}"#,
};

const ERROR: Row = Row {
    name: "error",
    direction: Direction::Out,
    about: "says that something went wrong",
    members: &[
        required("error_type", Shape::Text, "a short name for the kind of error"),
        required("message", Shape::Text, "what happened and what would help"),
        required("recoverable", Shape::Boolean, "whether the work goes on"),
    ],
    example: r#"{"error_type":"missing_tool","message":"ffmpeg is not installed","recoverable":true}"#,
};

const INFO_REQUEST: Row = Row {
    name: "info_request",
    direction: Direction::Out,
    about: "asks the host for something that is not in the cage",
    members: &[
        required("request_id", Shape::Text, "a name for the question, which the answer repeats"),
        required("description", Shape::Text, "what is needed and what for"),
        optional("paths", Shape::TextList, "files of the host that would answer it"),
    ],
    example: r#"{"request_id":"req-1","description":"the house style","paths":["style-guide.md"]}"#,
};

const TASK_COMPLETE: Row = Row {
    name: "task_complete",
    direction: Direction::Out,
    about: "says that the task is done, or given up",
    members: &[
        required("summary", Shape::Text, "what was done"),
        required("exit_code", Shape::Integer, "0 when it is done, another number when it is given up"),
    ],
    example: r#"{"summary":"added the flag and its test","exit_code":0}"#,
};

const GOING_IDLE: Row = Row {
    name: "going_idle",
    direction: Direction::Out,
    about: "says that nothing came in time and nobody waits any more",
    members: &[
        required("reason", Shape::Text, "why the wait ended"),
        optional("waited_seconds", Shape::Number, "how long it was, in seconds"),
    ],
    example: r#"{"reason":"no task_revision came","waited_seconds":7200}"#,
};

const INFO_RESPONSE: Row = Row {
    name: "info_response",
    direction: Direction::In,
    about: "answers an info_request",
    members: &[
        required("request_id", Shape::Text, "the name of the question"),
        optional("content", Shape::Text, "the answer in words"),
        optional("files", Shape::FileList, "the files asked for, each with its path and its content"),
    ],
    example: r#"{"request_id":"req-1","content":"two spaces","files":[{"path":"a.txt","content":"hello"}]}"#,
};

const TASK_REVISION: Row = Row {
    name: "task_revision",
    direction: Direction::In,
    about: "asks for a change of what was done",
    members: &[required("instructions", Shape::Text, "what to do next")],
    example: r#"{"instructions":"also update the README"}"#,
};

const ACK: Row = Row {
    name: "ack",
    direction: Direction::In,
    about: "says that a message was taken note of",
    members: &[required("acked_id", Shape::Text, "the id of that message")],
    example: r#"{"acked_id":"0195d3c1-7a00-7000-8000-000000000000"}"#,
};

impl Kind {
    /// Every message type, those of the agent first.
    pub const ALL: [Self; 8] = [
        Self::ProgressUpdate,
        Self::Error,
        Self::InfoRequest,
        Self::TaskComplete,
        Self::GoingIdle,
        Self::InfoResponse,
        Self::TaskRevision,
        Self::Ack,
    ];

    const fn row(self) -> &'static Row {
        match self {
            Self::ProgressUpdate => &PROGRESS_UPDATE,
            Self::Error => &ERROR,
            Self::InfoRequest => &INFO_REQUEST,
            Self::TaskComplete => &TASK_COMPLETE,
            Self::GoingIdle => &GOING_IDLE,
            Self::InfoResponse => &INFO_RESPONSE,
            Self::TaskRevision => &TASK_REVISION,
            Self::Ack => &ACK,
        }
    }

    /// Returns the `type` that stands in the JSON.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Returns who sends it.
    pub const fn direction(self) -> Direction {
        self.row().direction
    }

    /// Says what it is for, as the rest of a sentence that begins with its name.
    pub const fn about(self) -> &'static str {
        self.row().about
    }

    /// Returns the members of its payload, in the order in which they are shown.
    pub const fn members(self) -> &'static [Member] {
        self.row().members
    }

    /// Returns a payload that is right, as JSON on one line.
    pub const fn example(self) -> &'static str {
        self.row().example
    }

    /// Checks a payload against the table. Members that the table does not know are welcome, and a `null` counts as
    /// absent.
    pub(crate) fn check(self, payload: &Map<String, Value>) -> Result<(), MemberError> {
        self.members().iter().try_for_each(|member| member.check(payload))
    }
}

/// Says that no message type has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no message type")]
pub struct UnknownKind(String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Member {
    fn check(&self, payload: &Map<String, Value>) -> Result<(), MemberError> {
        match payload.get(self.name) {
            None | Some(Value::Null) if !self.required => Ok(()),
            None => Err(MemberError::missing(format!("payload.{}", self.name), self.shape.wanted())),
            Some(value) => self.shape.check(&format!("payload.{}", self.name), value),
        }
    }
}

impl Shape {
    /// Says what a value must be, with its article.
    pub const fn wanted(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::TextList => "an array of strings",
            Self::FileList => "an array of {\"path\": string, \"content\": string}",
        }
    }

    fn check(self, member: &str, value: &Value) -> Result<(), MemberError> {
        let fits = match self {
            Self::Text => value.is_string(),
            Self::Boolean => value.is_boolean(),
            Self::Integer => value.is_i64(),
            Self::Number => value.is_number(),
            Self::TextList | Self::FileList => value.is_array(),
        };
        if !fits {
            return Err(MemberError::wrong(member, self.wanted(), value));
        }
        for (index, element) in value.as_array().into_iter().flatten().enumerate() {
            self.check_element(&format!("{member}[{index}]"), element)?;
        }
        Ok(())
    }

    fn check_element(self, member: &str, element: &Value) -> Result<(), MemberError> {
        if self == Self::TextList {
            return Self::Text.check(member, element);
        }
        let Value::Object(file) = element else {
            return Err(MemberError::wrong(member, "an object with `path` and `content`", element));
        };
        for name in ["path", "content"] {
            let member = format!("{member}.{name}");
            match file.get(name) {
                Some(value) => Self::Text.check(&member, value)?,
                None => return Err(MemberError::missing(member, Self::Text.wanted())),
            }
        }
        Ok(())
    }
}
