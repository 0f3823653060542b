//! A struct for each message type. A value of one of them has passed the check against the table of kinds.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use super::error::MemberError;
use super::kind::Kind;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The agent says where it is.
    ProgressUpdate(ProgressUpdate),
    /// Something went wrong.
    Error(ErrorReport),
    /// The agent needs something from the host.
    InfoRequest(InfoRequest),
    /// The agent is done.
    TaskComplete(TaskComplete),
    /// Nobody answered in time and the agent stops waiting.
    GoingIdle(GoingIdle),
    /// The host answers an `info_request`.
    InfoResponse(InfoResponse),
    /// The host wants more, or something else.
    TaskRevision(TaskRevision),
    /// The host has taken note of a message.
    Ack(Ack),
    /// A type that this version does not know, carried as it is.
    Unknown(UnknownPayload),
}

/// Declares one payload: the struct, and its way into [`Payload`].
macro_rules! payload {
    ($(#[$doc:meta])* $name:ident => $variant:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $($(#[$member_doc])* pub $member: $type,)*
            /// Members that this version does not know; they survive a round trip.
            #[serde(flatten)]
            pub extra: Map<String, Value>,
        }

        impl From<$name> for Payload {
            fn from(payload: $name) -> Self {
                Self::$variant(payload)
            }
        }
    };
}

payload! {
    /// Says where the work stands.
    ProgressUpdate => ProgressUpdate {
        /// What is being done, in a few words.
        status: String,
        /// More about it.
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }
}

payload! {
    /// Says that something went wrong.
    ErrorReport => Error {
        /// A short name for the kind of error.
        error_type: String,
        /// What happened and what would help.
        message: String,
        /// Whether the work goes on.
        recoverable: bool,
    }
}

payload! {
    /// Asks the host for something that is not in the cage.
    InfoRequest => InfoRequest {
        /// A name for the question, which the answer repeats.
        request_id: String,
        /// What is needed and what for.
        description: String,
        /// Files of the host that would answer it.
        #[serde(skip_serializing_if = "Option::is_none")]
        paths: Option<Vec<String>>,
    }
}

payload! {
    /// Says that the task is done, or given up.
    TaskComplete => TaskComplete {
        /// What was done.
        summary: String,
        /// 0 when it is done, another number when it is given up.
        exit_code: i64,
    }
}

payload! {
    /// Says that nothing came in time and nobody waits any more.
    GoingIdle => GoingIdle {
        /// Why the wait ended.
        reason: String,
        /// How long it was, in seconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        waited_seconds: Option<Number>,
    }
}

payload! {
    /// Answers an [`InfoRequest`].
    InfoResponse => InfoResponse {
        /// The name of the question.
        request_id: String,
        /// The answer in words.
        #[serde(skip_serializing_if = "Option::is_none")]
        content: Option<String>,
        /// The files asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        files: Option<Vec<FileContent>>,
    }
}

payload! {
    /// Asks for a change of what was done.
    TaskRevision => TaskRevision {
        /// What to do next.
        instructions: String,
    }
}

payload! {
    /// Says that a message was taken note of.
    Ack => Ack {
        /// The id of that message.
        acked_id: String,
    }
}

/// A file that travels in a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileContent {
    /// Its path, as the request named it.
    pub path: String,
    /// Its text.
    pub content: String,
    /// Members that this version does not know; they survive a round trip.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The payload of a type that this version does not know.
#[derive(Debug, Clone, PartialEq)]
pub struct UnknownPayload {
    name: String,
    members: Map<String, Value>,
}

impl UnknownPayload {
    /// Returns the `type` that stands in the message.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the payload as it stands in the message.
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }
}

impl ProgressUpdate {
    /// Says what is being done.
    pub fn new(status: impl Into<String>) -> Self {
        Self { status: status.into(), detail: None, extra: Map::new() }
    }
}

impl ErrorReport {
    /// Says what happened, and whether the work goes on.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>, recoverable: bool) -> Self {
        Self { error_type: error_type.into(), message: message.into(), recoverable, extra: Map::new() }
    }
}

impl InfoRequest {
    /// Asks a question under a name of its own.
    pub fn new(request_id: impl Into<String>, description: impl Into<String>) -> Self {
        Self {
            request_id: request_id.into(),
            description: description.into(),
            paths: None,
            extra: Map::new(),
        }
    }
}

impl TaskComplete {
    /// Says what was done, and how it went.
    pub fn new(summary: impl Into<String>, exit_code: i64) -> Self {
        Self { summary: summary.into(), exit_code, extra: Map::new() }
    }
}

impl GoingIdle {
    /// Says why the wait ended and how long it was, in whole seconds.
    pub fn new(reason: impl Into<String>, waited: Duration) -> Self {
        Self { reason: reason.into(), waited_seconds: Some(waited.as_secs().into()), extra: Map::new() }
    }
}

impl InfoResponse {
    /// Begins the answer to the question of that name.
    pub fn to(request_id: impl Into<String>) -> Self {
        Self { request_id: request_id.into(), content: None, files: None, extra: Map::new() }
    }

    /// Answers in words.
    #[must_use]
    pub fn with_content(mut self, content: impl Into<String>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<String>, content: impl Into<String>) -> Self {
        let file = FileContent { path: path.into(), content: content.into(), extra: Map::new() };
        self.files.get_or_insert_default().push(file);
        self
    }
}

impl TaskRevision {
    /// Says what to do next.
    pub fn new(instructions: impl Into<String>) -> Self {
        Self { instructions: instructions.into(), extra: Map::new() }
    }
}

impl Ack {
    /// Takes note of the message with that id.
    pub fn new(acked_id: impl Into<String>) -> Self {
        Self { acked_id: acked_id.into(), extra: Map::new() }
    }
}

impl Payload {
    /// Checks the members of a message type and returns its payload. A type that the protocol does not know becomes
    /// [`Payload::Unknown`].
    ///
    /// # Errors
    /// The first required member that is missing, or the first member of the wrong shape.
    pub fn from_members(type_name: &str, members: Map<String, Value>) -> Result<Self, MemberError> {
        let Ok(kind) = type_name.parse::<Kind>() else {
            return Ok(Self::Unknown(UnknownPayload { name: type_name.to_owned(), members }));
        };
        kind.check(&members)?;
        let value = Value::Object(members);
        let payload = match kind {
            Kind::ProgressUpdate => ProgressUpdate::deserialize(value).map(Self::ProgressUpdate),
            Kind::Error => ErrorReport::deserialize(value).map(Self::Error),
            Kind::InfoRequest => InfoRequest::deserialize(value).map(Self::InfoRequest),
            Kind::TaskComplete => TaskComplete::deserialize(value).map(Self::TaskComplete),
            Kind::GoingIdle => GoingIdle::deserialize(value).map(Self::GoingIdle),
            Kind::InfoResponse => InfoResponse::deserialize(value).map(Self::InfoResponse),
            Kind::TaskRevision => TaskRevision::deserialize(value).map(Self::TaskRevision),
            Kind::Ack => Ack::deserialize(value).map(Self::Ack),
        };
        // The table has been checked, so an error here means that a struct and its row differ; a test holds them
        // together.
        payload.map_err(|error| MemberError::Wrong {
            member: "payload".to_owned(),
            wanted: "what the table of kinds says",
            found: error.to_string(),
        })
    }

    /// Returns the message type, or nothing for one that the protocol does not know.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::ProgressUpdate(_) => Some(Kind::ProgressUpdate),
            Self::Error(_) => Some(Kind::Error),
            Self::InfoRequest(_) => Some(Kind::InfoRequest),
            Self::TaskComplete(_) => Some(Kind::TaskComplete),
            Self::GoingIdle(_) => Some(Kind::GoingIdle),
            Self::InfoResponse(_) => Some(Kind::InfoResponse),
            Self::TaskRevision(_) => Some(Kind::TaskRevision),
            Self::Ack(_) => Some(Kind::Ack),
            Self::Unknown(_) => None,
        }
    }

    /// Returns the `type` that stands in the JSON.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Unknown(unknown) => &unknown.name,
            known => known.kind().map_or("", Kind::name),
        }
    }
}

impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::ProgressUpdate(payload) => payload.serialize(serializer),
            Self::Error(payload) => payload.serialize(serializer),
            Self::InfoRequest(payload) => payload.serialize(serializer),
            Self::TaskComplete(payload) => payload.serialize(serializer),
            Self::GoingIdle(payload) => payload.serialize(serializer),
            Self::InfoResponse(payload) => payload.serialize(serializer),
            Self::TaskRevision(payload) => payload.serialize(serializer),
            Self::Ack(payload) => payload.serialize(serializer),
            Self::Unknown(payload) => payload.members.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse_object;

    fn reason(type_name: &str, members: &str) -> String {
        let members = parse_object(members.as_bytes()).unwrap();
        Payload::from_members(type_name, members).unwrap_err().to_string()
    }

    #[test]
    fn accepts_the_example_of_every_kind_and_gives_it_back() {
        for kind in Kind::ALL {
            let members = parse_object(kind.example().as_bytes()).unwrap();
            let payload = Payload::from_members(kind.name(), members.clone()).unwrap();
            assert_eq!(payload.kind(), Some(kind));
            assert_eq!(serde_json::to_value(&payload).unwrap(), Value::Object(members));
        }
    }

    #[test]
    fn keeps_members_and_types_it_does_not_know() {
        let text = r#"{"status":"x","mood":{"is":"good"}}"#;
        for type_name in ["progress_update", "weather_report"] {
            let payload = Payload::from_members(type_name, parse_object(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(payload.type_name(), type_name);
            assert_eq!(serde_json::to_value(&payload).unwrap(), serde_json::from_str::<Value>(text).unwrap());
        }
    }

    #[test]
    fn rejects_each_missing_required_member() {
        for kind in Kind::ALL {
            for member in kind.members().iter().filter(|member| member.required) {
                let mut members = parse_object(kind.example().as_bytes()).unwrap();
                members.remove(member.name);
                let error = Payload::from_members(kind.name(), members).unwrap_err();
                assert_eq!(error.member(), format!("payload.{}", member.name));
            }
        }
    }

    #[test]
    fn says_which_member_is_wrong_and_what_it_wants() {
        insta::assert_snapshot!(reason("progress_update", r#"{"detail":"x"}"#), @"member `payload.status` is missing; it must be a string");
        insta::assert_snapshot!(reason("task_complete", r#"{"summary":"x","exit_code":true}"#), @"member `payload.exit_code` must be a whole number, found the boolean true");
        insta::assert_snapshot!(reason("task_complete", r#"{"summary":"x","exit_code":1.5}"#), @"member `payload.exit_code` must be a whole number, found the number 1.5");
        insta::assert_snapshot!(reason("info_request", r#"{"request_id":"r","description":"d","paths":["a",2]}"#), @"member `payload.paths[1]` must be a string, found the number 2");
        insta::assert_snapshot!(reason("info_response", r#"{"request_id":"r","files":[{"path":"a"}]}"#), @"member `payload.files[0].content` is missing; it must be a string");
        insta::assert_snapshot!(reason("ack", r#"{"acked_id":null}"#), @"member `payload.acked_id` must be a string, found the value null");
    }

    #[test]
    fn takes_null_for_an_optional_member_that_is_absent() {
        let members = parse_object(br#"{"status":"x","detail":null}"#).unwrap();
        let payload = Payload::from_members("progress_update", members).unwrap();
        assert_eq!(payload, ProgressUpdate::new("x").into());
    }
}
