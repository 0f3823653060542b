//! What can be wrong with a message.

use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX, MESSAGE_BYTES_MAX};

/// Longest text of a message that an error repeats, in characters.
const FOUND_CHARS_MAX: usize = 60;

/// Says why bytes are no message of this protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The text ends in the middle of its JSON. Its writer may still be at work.
    #[error("the JSON ends in the middle")]
    Incomplete,
    /// The bytes are no UTF-8.
    #[error("not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// The text is no JSON.
    #[error("not JSON: {0}")]
    NotJson(String),
    /// The JSON is an array, a string or a number.
    #[error("expected a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// Arrays and objects are nested too deeply.
    #[error("nested more than {JSON_DEPTH_MAX} levels deep")]
    TooDeep,
    /// There are too many values.
    #[error("more than {JSON_VALUES_MAX} JSON values")]
    TooManyValues,
    /// The message has too many bytes.
    #[error("larger than {MESSAGE_BYTES_MAX} bytes")]
    TooLarge,
    /// An object names a member twice, and readers would differ about which one counts. The name is cut and escaped.
    #[error("member `{0}` is there twice")]
    DuplicateMember(String),
    /// The message is of a later protocol than this reader knows.
    #[error("protocol version {0} is not supported, only version 1")]
    UnsupportedVersion(String),
    /// A member is missing or of the wrong shape.
    #[error(transparent)]
    Member(#[from] MemberError),
}

/// Says which member is missing or wrong, what stands there and what belongs there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// A required member is not there.
    #[error("member `{member}` is missing; it must be {wanted}")]
    Missing {
        /// Where it belongs, as in `payload.status`.
        member: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// A member is of the wrong shape.
    #[error("member `{member}` must be {wanted}, found {found}")]
    Wrong {
        /// Where it stands, as in `payload.paths[2]`.
        member: String,
        /// What belongs there.
        wanted: &'static str,
        /// What stands there.
        found: String,
    },
}

impl MemberError {
    pub(crate) fn missing(member: impl Into<String>, wanted: &'static str) -> Self {
        Self::Missing { member: member.into(), wanted }
    }

    pub(crate) fn wrong(member: impl Into<String>, wanted: &'static str, found: &serde_json::Value) -> Self {
        Self::Wrong { member: member.into(), wanted, found: describe(found) }
    }

    /// Returns where the member belongs, as in `payload.status`.
    pub fn member(&self) -> &str {
        match self {
            Self::Missing { member, .. } | Self::Wrong { member, .. } => member,
        }
    }

    /// Returns what belongs there.
    pub fn wanted(&self) -> &'static str {
        match self {
            Self::Missing { wanted, .. } | Self::Wrong { wanted, .. } => wanted,
        }
    }
}

/// Describes a JSON value the way a person would ask for another one.
fn describe(value: &serde_json::Value) -> String {
    format!("{} {}", kind_of(value), quoted(&value.to_string()))
}

/// Shows a text of a message: its beginning, without what would drive a terminal.
pub(crate) fn quoted(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().collect() } else { vec![c] };
    let mut shown: String = text.chars().take(FOUND_CHARS_MAX).flat_map(escape).collect();
    if text.chars().nth(FOUND_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// Names the JSON type of a value with its article.
pub(crate) fn kind_of(value: &serde_json::Value) -> &'static str {
    use serde_json::Value;
    match value {
        Value::Null => "the value",
        Value::Bool(_) => "the boolean",
        Value::Number(_) => "the number",
        Value::String(_) => "the string",
        Value::Array(_) => "the array",
        Value::Object(_) => "the object",
    }
}
