//! Time stamps as they stand in a message.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// An RFC 3339 time stamp, kept as it was written.
///
/// Ours are UTC with six decimals. Those of other tools keep their own precision when a message is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp {
    text: String,
    instant: DateTime<Utc>,
}

/// Says that a text is no RFC 3339 time stamp.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 time stamp")]
pub struct InvalidTimestamp;

impl Timestamp {
    /// Returns the moment it names.
    pub fn instant(&self) -> DateTime<Utc> {
        self.instant
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Self {
        Self { text: instant.to_rfc3339_opts(SecondsFormat::Micros, true), instant }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // chrono takes a typographic minus sign as well, which RFC 3339 does not know.
        if !text.is_ascii() {
            return Err(InvalidTimestamp);
        }
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_| InvalidTimestamp)?.to_utc();
        Ok(Self { text: text.to_owned(), instant })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.text
    }
}

impl TryFrom<String> for Timestamp {
    type Error = InvalidTimestamp;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}
