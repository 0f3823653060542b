//! The lines of `cage-poll --follow`: one JSON object each, printed in the cage and read by its host.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::mailbox::EntryName;
use crate::message::{Envelope, Timestamp};

/// One line of a follower's output.
///
/// ```
/// use cage_proto::follow_record::FollowRecord;
///
/// let line = r#"{"name":"notes.json","malformed":"the name is no time stamp"}"#;
/// let record = FollowRecord::parse(line.as_bytes())?;
/// assert_eq!(record.to_string(), line);
/// # Ok::<(), cage_proto::follow_record::FollowRecordError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum FollowRecord {
    /// A message under its name.
    Message(EntryName, Box<Envelope>),
    /// A file that is no message.
    Malformed {
        /// Its name; where that is no time stamp, as text that is safe to show.
        name: String,
        /// Why it is none.
        why: String,
    },
    /// The follower lives, at this moment of its clock.
    Heartbeat(Timestamp),
}

/// Says why a line is no record. The program that printed it runs where the agent can replace it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowRecordError {
    /// It is no JSON object.
    #[error("the follower printed a line that is no JSON object: {0}")]
    NotAnObject(String),
    /// It names a message that is none.
    #[error("{name} is no message: {why}")]
    NotAMessage {
        /// What the line gave as its name.
        name: String,
        /// Why it is none.
        why: String,
    },
    /// It is another object, which is repeated here.
    #[error("the follower printed something unknown: {0}")]
    Unknown(String),
}

impl FollowRecord {
    /// Reads a line. How long it may be is for the caller to limit, before the line is held in memory.
    ///
    /// # Errors
    /// Every [`FollowRecordError`]. They repeat what the line held, so they are not safe to show as they are.
    pub fn parse(line: &[u8]) -> Result<Self, FollowRecordError> {
        let object: Map<String, Value> = serde_json::from_slice(line)
            .map_err(|error| FollowRecordError::NotAnObject(error.to_string()))?;
        let text = |member| object.get(member).and_then(Value::as_str);
        if let Some(heartbeat) = text("heartbeat").and_then(|text| text.parse().ok()) {
            return Ok(Self::Heartbeat(heartbeat));
        }
        match (text("name"), object.get("message"), text("malformed")) {
            (Some(name), Some(message), _) => Self::message(name, message),
            (Some(name), None, Some(why)) => {
                Ok(Self::Malformed { name: name.to_owned(), why: why.to_owned() })
            }
            _ => Err(FollowRecordError::Unknown(Value::Object(object).to_string())),
        }
    }

    fn message(name: &str, message: &Value) -> Result<Self, FollowRecordError> {
        let none = |why: String| FollowRecordError::NotAMessage { name: name.to_owned(), why };
        let entry = name.parse().map_err(|_| none("its name is no time stamp".to_owned()))?;
        let envelope =
            Envelope::parse(message.to_string().as_bytes()).map_err(|error| none(error.to_string()))?;
        Ok(Self::Message(entry, Box::new(envelope)))
    }
}

/// Prints it without a line break.
impl fmt::Display for FollowRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(name, message) => {
                write!(f, "{{\"name\":{},\"message\":{}}}", json!(name.as_str()), message.to_line())
            }
            Self::Malformed { name, why } => {
                write!(f, "{{\"name\":{},\"malformed\":{}}}", json!(name), json!(why))
            }
            Self::Heartbeat(moment) => write!(f, "{{\"heartbeat\":{}}}", json!(moment.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "2026-03-26T14-30-00.000123Z.json";
    const ACK: &str = r#"{"id":"a","type":"ack","timestamp":"2026-03-26T14:30:00.000123Z","payload":{"acked_id":"b"},"version":1}"#;

    fn reason(line: &str) -> String {
        FollowRecord::parse(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn prints_what_it_reads() {
        for line in [
            format!(r#"{{"name":"{NAME}","message":{ACK}}}"#),
            r#"{"name":"x\ny.json","malformed":"the name is no time stamp"}"#.to_owned(),
            r#"{"heartbeat":"2026-03-26T14:30:00.000123Z"}"#.to_owned(),
        ] {
            assert_eq!(FollowRecord::parse(line.as_bytes()).unwrap().to_string(), line);
        }
    }

    #[test]
    fn rejects_what_no_follower_prints() {
        insta::assert_snapshot!(reason("[]"), @"the follower printed a line that is no JSON object: invalid type: sequence, expected a map at line 1 column 0");
        insta::assert_snapshot!(reason(r#"{"name":1}"#), @r#"the follower printed something unknown: {"name":1}"#);
        insta::assert_snapshot!(reason(r#"{"heartbeat":"now"}"#), @r#"the follower printed something unknown: {"heartbeat":"now"}"#);
        insta::assert_snapshot!(reason(&format!(r#"{{"name":"../x","message":{ACK}}}"#)), @"../x is no message: its name is no time stamp");
        insta::assert_snapshot!(reason(&format!(r#"{{"name":"{NAME}","message":{{"id":"a"}}}}"#)), @"2026-03-26T14-30-00.000123Z.json is no message: member `type` is missing; it must be a string");
    }
}
