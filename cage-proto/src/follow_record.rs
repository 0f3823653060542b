//! The lines of `cage-poll --follow`: one JSON object each, printed in the cage and read by its host.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::mailbox::{EntryName, Notice};
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
        /// Whether it is larger than a message may be.
        oversize: bool,
    },
    /// Something about the mailbox as a whole.
    Notice(FollowNotice),
    /// The follower lives, at this moment of its clock.
    Heartbeat(Timestamp),
}

/// Something about a mailbox that is no message and stops none, but should not stay unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowNotice {
    /// What it is.
    pub kind: NoticeKind,
    /// The same for people.
    pub text: String,
}

/// What a follower noticed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// The folder holds so many files that listing it is slow.
    Crowded {
        /// How many.
        files: u64,
    },
    /// There are more files with names that are no time stamps than were named.
    MoreStrays {
        /// How many more.
        files: u64,
    },
    /// A file is not finished, and the messages behind it wait.
    HeldUp {
        /// Its name.
        name: String,
    },
    /// Something that this version does not know, or knows only as text.
    Other(String),
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
        if let Some(kind) = text("notice") {
            let text = text("text").unwrap_or_default().to_owned();
            return Ok(Self::Notice(FollowNotice { kind: NoticeKind::parse(kind, &object), text }));
        }
        match (text("name"), object.get("message"), text("malformed")) {
            (Some(name), Some(message), _) => Self::message(name, message),
            (Some(name), None, Some(why)) => {
                let oversize = object.get("oversize").and_then(Value::as_bool).unwrap_or(false);
                Ok(Self::Malformed { name: name.to_owned(), why: why.to_owned(), oversize })
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

impl NoticeKind {
    fn parse(kind: &str, members: &Map<String, Value>) -> Self {
        let files = members.get("files").and_then(Value::as_u64);
        let name = members.get("name").and_then(Value::as_str);
        match (kind, files, name) {
            ("crowded", Some(files), _) => Self::Crowded { files },
            ("more_strays", Some(files), _) => Self::MoreStrays { files },
            ("held_up", _, Some(name)) => Self::HeldUp { name: name.to_owned() },
            (other, ..) => Self::Other(other.to_owned()),
        }
    }

    /// Returns the member that says what it is, and the one that says more.
    fn members(&self) -> (&str, Option<(&'static str, Value)>) {
        match self {
            Self::Crowded { files } => ("crowded", Some(("files", (*files).into()))),
            Self::MoreStrays { files } => ("more_strays", Some(("files", (*files).into()))),
            Self::HeldUp { name } => ("held_up", Some(("name", name.as_str().into()))),
            Self::Other(kind) => (kind, None),
        }
    }
}

impl From<&Notice> for FollowNotice {
    fn from(notice: &Notice) -> Self {
        let count = |files: usize| files.try_into().unwrap_or(u64::MAX);
        let kind = match notice {
            Notice::Crowded(files) => NoticeKind::Crowded { files: count(*files) },
            Notice::MoreStrays(files) => NoticeKind::MoreStrays { files: count(*files) },
            Notice::HeldUp(name) => NoticeKind::HeldUp { name: name.to_string() },
            Notice::DamagedCursor => NoticeKind::Other("damaged_cursor".to_owned()),
            Notice::Stray(_) => NoticeKind::Other("stray".to_owned()),
        };
        Self { kind, text: notice.to_string() }
    }
}

/// Prints it without a line break.
impl fmt::Display for FollowRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(name, message) => {
                write!(f, "{{\"name\":{},\"message\":{}}}", json!(name.as_str()), message.to_line())
            }
            Self::Malformed { name, why, oversize } => {
                let oversize = if *oversize { ",\"oversize\":true" } else { "" };
                write!(f, "{{\"name\":{},\"malformed\":{}{oversize}}}", json!(name), json!(why))
            }
            Self::Notice(FollowNotice { kind, text }) => {
                let (kind, more) = kind.members();
                write!(f, "{{\"notice\":{}", json!(kind))?;
                if let Some((member, value)) = more {
                    write!(f, ",\"{member}\":{value}")?;
                }
                write!(f, ",\"text\":{}}}", json!(text))
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
            format!(r#"{{"name":"{NAME}","malformed":"larger","oversize":true}}"#),
            r#"{"notice":"crowded","files":100001,"text":"100001 files"}"#.to_owned(),
            r#"{"notice":"more_strays","files":3,"text":"3 more"}"#.to_owned(),
            format!(r#"{{"notice":"held_up","name":"{NAME}","text":"not finished"}}"#),
            r#"{"notice":"of a later version","text":""}"#.to_owned(),
            r#"{"heartbeat":"2026-03-26T14:30:00.000123Z"}"#.to_owned(),
        ] {
            assert_eq!(FollowRecord::parse(line.as_bytes()).unwrap().to_string(), line);
        }
    }

    #[test]
    fn keeps_a_notice_whose_members_make_no_sense_as_text() {
        let record = FollowRecord::parse(br#"{"notice":"crowded","files":-1,"text":"many"}"#).unwrap();
        let kind = NoticeKind::Other("crowded".to_owned());
        assert_eq!(record, FollowRecord::Notice(FollowNotice { kind, text: "many".to_owned() }));
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
