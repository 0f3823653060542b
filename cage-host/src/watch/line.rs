//! A line of the agent's log as it is.

use std::fmt;

use serde::de::IgnoredAny;

use super::event::LogEvent;
use super::log::MAX_LOG_LINE_BYTES;
use crate::sanitize::{sanitize, sanitize_json};

/// A line of the agent's log, whatever it means.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLine {
    /// The line. JSON has the value that the agent printed, with what could steer a terminal written as an escape; of
    /// other lines that is escaped as [`sanitize`](crate::sanitize()) does it.
    Text(String),
    /// A line of more than [`MAX_LOG_LINE_BYTES`] was left out.
    TooLong,
    /// The log was replaced faster than it could be read: lines are missing here.
    Lost,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::TooLong => LogEvent::TooLong.fmt(f),
            Self::Lost => LogEvent::Lost.fmt(f),
        }
    }
}

/// What the lines of a log are read as.
pub(super) trait FromLog: Sized + Send + 'static {
    /// What stands where lines are missing.
    const LOST: Self;
    /// What stands for a line over the limit.
    const TOO_LONG: Self;

    /// Reads a line.
    fn read(line: &[u8]) -> Vec<Self>;
}

impl FromLog for LogEvent {
    const LOST: Self = Self::Lost;
    const TOO_LONG: Self = Self::TooLong;

    fn read(line: &[u8]) -> Vec<Self> {
        Self::read(line)
    }
}

impl FromLog for LogLine {
    const LOST: Self = Self::Lost;
    const TOO_LONG: Self = Self::TooLong;

    fn read(line: &[u8]) -> Vec<Self> {
        if line.len() > MAX_LOG_LINE_BYTES {
            return vec![Self::TooLong];
        }
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
        vec![Self::Text(if is_json { sanitize_json(text) } else { sanitize(text) })]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        LogLine::read(line.as_bytes()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn keeps_a_line_as_it_is() {
        for line in [r#"{"type":"result", "n":1.50 ,"text":"t\u00e4glich \u001b[2J"}"#, "a warning", ""] {
            assert_eq!(read(line), line);
        }
    }

    #[test]
    fn escapes_what_steers_a_terminal_and_keeps_the_value_of_json() {
        let line = "{\"text\":\r\t\"\u{9b}2J\u{202e}\u{7f}\"}";
        assert_eq!(read(line), r#"{"text":  "\u009b2J\u202e\u007f"}"#);
        assert_eq!(read("\u{1b}[2J {"), r"\u{1b}[2J {");
    }

    proptest::proptest! {
        #[test]
        fn shows_no_control_character_of_any_line(bytes: Vec<u8>, text: String) {
            for line in [bytes, serde_json::json!({ "text": text }).to_string().into_bytes()] {
                let line: String = line.split(|byte| *byte == b'\n').flat_map(LogLine::read).map(|line| line.to_string()).collect();
                proptest::prop_assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{line:?}");
            }
        }
    }
}
