//! JSON with a limit on depth and count, in which no object may name a member twice.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::{MessageError, kind_of, quoted};
use crate::limits::{JSON_DEPTH_MAX, JSON_VALUES_MAX, MESSAGE_BYTES_MAX};

/// Parses the bytes of one JSON object within the limits of a message.
///
/// # Errors
/// Every [`MessageError`] but the ones about an envelope's members. [`MessageError::Incomplete`] is told apart from
/// [`MessageError::NotJson`], since more bytes can still mend it.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, MessageError> {
    parse_object_within(
        bytes,
        &Bounds { bytes: MESSAGE_BYTES_MAX, depth: JSON_DEPTH_MAX, values: JSON_VALUES_MAX },
    )
}

/// The limits as parameters, so that a test needs no megabyte.
struct Bounds {
    bytes: usize,
    depth: usize,
    values: usize,
}

fn parse_object_within(bytes: &[u8], bounds: &Bounds) -> Result<Map<String, Value>, MessageError> {
    if bytes.len() > bounds.bytes {
        return Err(MessageError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| match error.error_len() {
        None => MessageError::Incomplete,
        Some(_) => MessageError::NotUtf8(error.valid_up_to()),
    })?;
    let parse = Parse { fault: Cell::new(None), values_left: Cell::new(bounds.values) };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Node { parse: &parse, levels_left: bounds.depth }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| parse.fault.take().unwrap_or_else(|| json_error(&error)))?;
    match value {
        Value::Object(map) => Ok(map),
        other => Err(MessageError::NotAnObject(kind_of(&other))),
    }
}

fn json_error(error: &serde_json::Error) -> MessageError {
    if error.is_eof() { MessageError::Incomplete } else { MessageError::NotJson(error.to_string()) }
}

/// What one parse shares between its nodes. serde errors carry text only, so the typed reason travels beside them.
struct Parse {
    fault: Cell<Option<MessageError>>,
    values_left: Cell<usize>,
}

impl Parse {
    fn fail<E: serde::de::Error>(&self, fault: MessageError) -> E {
        let error = E::custom(&fault);
        self.fault.set(Some(fault));
        error
    }
}

/// One value of the tree, with the number of levels that may still open below it.
struct Node<'a> {
    parse: &'a Parse,
    levels_left: usize,
}

impl Node<'_> {
    /// Opens one level, as the elements of this value see it.
    fn enter<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Node { parse: self.parse, levels_left }),
            None => Err(self.parse.fail(MessageError::TooDeep)),
        }
    }

    fn again(&self) -> Self {
        Node { parse: self.parse, levels_left: self.levels_left }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.parse.values_left.get().checked_sub(1) {
            Some(left) => self.parse.values_left.set(left),
            None => return Err(self.parse.fail(MessageError::TooManyValues)),
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut array = Vec::new();
        while let Some(value) = elements.next_element_seed(inner.again())? {
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.enter()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(self.parse.fail(MessageError::DuplicateMember(quoted(&name))));
            }
            let value = members.next_value_seed(inner.again())?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { bytes: 64, depth: 3, values: 8 };

    fn fault(text: &str) -> MessageError {
        parse_object_within(text.as_bytes(), &SMALL).unwrap_err()
    }

    #[test]
    fn accepts_an_object_at_every_limit() {
        let text = format!("{:<64}", r#"{"a":[[1,2,3,4]],"b":null}"#);
        assert_eq!(parse_object_within(text.as_bytes(), &SMALL).unwrap().len(), 2);
    }

    #[test]
    fn rejects_one_byte_one_level_and_one_value_too_many() {
        assert_eq!(fault(&format!("{:<65}", "{}")), MessageError::TooLarge);
        assert_eq!(fault(r#"{"a":[[[]]]}"#), MessageError::TooDeep);
        assert_eq!(fault(r#"{"a":[1,2,3,4,5,6,7]}"#), MessageError::TooManyValues);
    }

    #[test]
    fn rejects_a_member_named_twice_at_any_depth() {
        assert_eq!(fault(r#"{"a":{"b":1,"b":2}}"#), MessageError::DuplicateMember("b".to_owned()));
        assert_eq!(fault(r#"{"a":1,"\u0061":2}"#), MessageError::DuplicateMember("a".to_owned()));
        assert_eq!(fault("{\"\u{9b}\":1,\"\u{9b}\":2}"), MessageError::DuplicateMember(r"\u{9b}".to_owned()));
    }

    #[test]
    fn tells_an_unfinished_text_from_a_wrong_one() {
        for unfinished in ["", " ", "{", r#"{"a"#, r#"{"a":1"#, r#"{"a":tru"#] {
            assert_eq!(fault(unfinished), MessageError::Incomplete, "{unfinished}");
        }
        let cut_in_a_character = &r#"{"a":"é"#.as_bytes()[..7];
        assert_eq!(parse_object_within(cut_in_a_character, &SMALL), Err(MessageError::Incomplete));
        assert!(matches!(fault("{]"), MessageError::NotJson(_)));
        assert!(matches!(fault("{} {}"), MessageError::NotJson(_)));
        assert_eq!(parse_object_within(b"{\"a\":\"\xff\"}", &SMALL), Err(MessageError::NotUtf8(6)));
        assert_eq!(fault("[1]"), MessageError::NotAnObject("the array"));
    }
}
