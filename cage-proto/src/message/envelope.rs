//! One message: bounded bytes become a checked value, and the value becomes bytes again.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::bounded::parse_object;
use super::error::{MemberError, MessageError};
use super::id::MessageId;
use super::payload::Payload;
use super::timestamp::Timestamp;
use crate::limits::MESSAGE_BYTES_MAX;

/// The version of the envelope that this crate reads and writes. A message without a version is of this one.
pub const VERSION: u64 = 1;

/// A message with its id, its time and, when one of our programs wrote it, its number in the mailbox.
///
/// ```
/// use cage_proto::message::{Envelope, Payload};
///
/// let bytes = br#"{"id":"a","type":"ack","timestamp":"2026-03-26T14:30:00.000123Z","payload":{"acked_id":"b"}}"#;
/// let message = Envelope::parse(bytes)?;
/// assert!(matches!(message.payload, Payload::Ack(ack) if ack.acked_id == "b"));
/// # Ok::<(), cage_proto::message::MessageError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Who this message is, among all of a cage.
    pub id: MessageId,
    /// When it was sent, by its sender's clock.
    pub timestamp: Timestamp,
    /// What it says.
    pub payload: Payload,
    /// Its number in the mailbox, from 1 and without gaps.
    pub seq: Option<u64>,
    /// Members that this version does not know; they survive a round trip.
    pub extra: Map<String, Value>,
}

impl Envelope {
    /// Reads a message from the bytes of its file.
    ///
    /// # Errors
    /// Every [`MessageError`]; [`MessageError::Incomplete`] means that more bytes can still mend it.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        Self::from_object(parse_object(bytes)?)
    }

    fn from_object(mut object: Map<String, Value>) -> Result<Self, MessageError> {
        take_version(&mut object)?;
        let id = take_text(&mut object, "id", "a string of 1 to 256 bytes without control characters")?;
        let type_name: String = take_text(&mut object, "type", "a string")?;
        let timestamp = take_text(&mut object, "timestamp", "an RFC 3339 time stamp")?;
        let seq = take_seq(&mut object)?;
        let payload = match object.remove("payload") {
            Some(Value::Object(members)) => Payload::from_members(&type_name, members)?,
            Some(other) => return Err(MemberError::wrong("payload", "an object", &other).into()),
            None => return Err(MemberError::missing("payload", "an object").into()),
        };
        Ok(Self { id, timestamp, payload, seq, extra: object })
    }

    /// Prints the message as it stands in its file, with line breaks and a last one.
    ///
    /// # Errors
    /// [`MessageError::TooLarge`] when no reader would accept it.
    pub fn to_file_bytes(&self) -> Result<Vec<u8>, MessageError> {
        let text = self.to_text();
        if text.len() > MESSAGE_BYTES_MAX { Err(MessageError::TooLarge) } else { Ok(text.into_bytes()) }
    }

    /// Prints the message with line breaks and a last one, and without any other control character.
    pub fn to_text(&self) -> String {
        // Maps with text for names hold no value that JSON cannot, so this never fails.
        escape_controls(serde_json::to_string_pretty(self).unwrap_or_default()) + "\n"
    }

    /// Prints the message on one line, without a line break and without any other control character.
    pub fn to_line(&self) -> String {
        escape_controls(serde_json::to_string(self).unwrap_or_default())
    }
}

impl Serialize for Envelope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", self.id.as_str())?;
        map.serialize_entry("type", self.payload.type_name())?;
        map.serialize_entry("timestamp", &self.timestamp.to_string())?;
        map.serialize_entry("payload", &self.payload)?;
        map.serialize_entry("version", &VERSION)?;
        if let Some(seq) = self.seq {
            map.serialize_entry("seq", &seq)?;
        }
        for (name, value) in &self.extra {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Escapes the control characters that JSON allows in a string, since the text may be shown on a terminal.
fn escape_controls(json: String) -> String {
    let harmful = |c: char| c.is_control() && c != '\n';
    if !json.contains(harmful) {
        return json;
    }
    let escape = |c| if harmful(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escape).collect()
}

fn take_version(object: &mut Map<String, Value>) -> Result<(), MessageError> {
    match object.remove("version") {
        None => Ok(()),
        Some(Value::Number(number)) if number.as_u64() == Some(VERSION) => Ok(()),
        Some(Value::Number(number)) => Err(MessageError::UnsupportedVersion(number.to_string())),
        Some(other) => Err(MemberError::wrong("version", "the number 1", &other).into()),
    }
}

fn take_text<T: std::str::FromStr>(
    object: &mut Map<String, Value>,
    member: &'static str,
    wanted: &'static str,
) -> Result<T, MemberError> {
    let value = object.remove(member).ok_or_else(|| MemberError::missing(member, wanted))?;
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| MemberError::wrong(member, wanted, &value))
}

fn take_seq(object: &mut Map<String, Value>) -> Result<Option<u64>, MemberError> {
    match object.remove("seq") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(seq) if seq > 0 => Ok(Some(seq)),
            _ => Err(MemberError::wrong("seq", "a whole number from 1", &value)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"{"id":"msg-1","type":"ack","timestamp":"2026-11-20T10:31:07.022Z","payload":{"acked_id":"x"},"version":1,"seq":7,"trace":["a"]}"#;

    fn reason(from: &str, to: &str) -> String {
        assert!(MESSAGE.contains(from), "{from}");
        Envelope::parse(MESSAGE.replace(from, to).as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn gives_back_what_it_read_with_members_it_does_not_know() {
        assert_eq!(Envelope::parse(MESSAGE.as_bytes()).unwrap().to_line(), MESSAGE);
    }

    #[test]
    fn keeps_a_number_for_the_next_reader_to_its_last_digit() {
        let text = MESSAGE.replace(r#"["a"]"#, "123452968367741058901234567890");
        let message = Envelope::parse(text.as_bytes()).unwrap();
        assert_eq!(Envelope::parse(message.to_line().as_bytes()).unwrap(), message);
    }

    #[test]
    fn reads_a_message_without_version_and_seq() {
        let text = MESSAGE.replace(r#","version":1,"seq":7"#, "");
        let message = Envelope::parse(text.as_bytes()).unwrap();
        assert_eq!((message.seq, message.id.as_str()), (None, "msg-1"));
    }

    #[test]
    fn says_what_is_wrong_with_the_envelope() {
        insta::assert_snapshot!(reason(r#""version":1"#, r#""version":2"#), @"protocol version 2 is not supported, only version 1");
        insta::assert_snapshot!(reason(r#""version":1"#, r#""version":"1""#), @r#"member `version` must be the number 1, found the string "1""#);
        insta::assert_snapshot!(reason(r#""id":"msg-1","#, ""), @"member `id` is missing; it must be a string of 1 to 256 bytes without control characters");
        insta::assert_snapshot!(reason("2026-11-20T10:31:07.022Z", "yesterday"), @r#"member `timestamp` must be an RFC 3339 time stamp, found the string "yesterday""#);
        insta::assert_snapshot!(reason(r#"{"acked_id":"x"}"#, "[]"), @"member `payload` must be an object, found the array []");
        insta::assert_snapshot!(reason(r#""seq":7"#, r#""seq":0"#), @"member `seq` must be a whole number from 1, found the number 0");
        insta::assert_snapshot!(reason(r#""type":"ack","#, ""), @"member `type` is missing; it must be a string");
    }

    #[test]
    fn prints_no_control_character_but_line_breaks() {
        let text = MESSAGE.replace(r#""x""#, "\"\\u001b[2J\u{7f}\u{9b}31m\"");
        let message = Envelope::parse(text.as_bytes()).unwrap();
        assert!(!message.to_line().contains(char::is_control));
        assert!(!message.to_text().contains(|c: char| c.is_control() && c != '\n'));
        assert_eq!(Envelope::parse(message.to_line().as_bytes()).unwrap(), message);
    }

    #[test]
    fn rejects_a_message_that_no_reader_would_accept() {
        let mut message = Envelope::parse(MESSAGE.as_bytes()).unwrap();
        message.extra.insert("ballast".to_owned(), "x".repeat(MESSAGE_BYTES_MAX).into());
        assert_eq!(message.to_file_bytes(), Err(MessageError::TooLarge));
    }
}
