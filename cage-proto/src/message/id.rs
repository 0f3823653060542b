//! Message ids.

use std::fmt;
use std::str::FromStr;

use crate::limits::MESSAGE_ID_BYTES_MAX;

/// The id of a message: any text without control characters, not empty, at most [`MESSAGE_ID_BYTES_MAX`] bytes.
///
/// Ours are UUIDs of version 7. A reader accepts what other tools write.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(String);

/// Says why a text is no message id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message id has 1 to {MESSAGE_ID_BYTES_MAX} bytes and no control characters")]
pub struct InvalidMessageId;

impl MessageId {
    /// Wraps a UUID.
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.to_string())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=MESSAGE_ID_BYTES_MAX).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidMessageId)
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
