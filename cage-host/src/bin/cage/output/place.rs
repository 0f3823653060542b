//! JSON that is none, with the place marked.

use std::fmt;

use cage_host::message::{MessageError, parse_object};
use cage_host::sanitize;
use serde_json::{Map, Value};

/// Characters shown on either side of the place.
const AROUND: usize = 35;

/// Why a text is no JSON object that a message could hold.
#[derive(Debug, thiserror::Error)]
pub(crate) struct BadJson {
    error: MessageError,
    place: Option<Place>,
}

/// A place in a text.
#[derive(Debug)]
struct Place {
    line: usize,
    column: usize,
    /// The line around it, and how far in it the place is.
    excerpt: String,
    offset: usize,
}

/// Reads the members of a payload.
pub(crate) fn parse_members(text: &str) -> Result<Map<String, Value>, BadJson> {
    parse_object(text.as_bytes()).map_err(|error| {
        let broken = serde_json::from_str::<Value>(text).err();
        BadJson { error, place: broken.and_then(|broken| Place::find(text, broken.line(), broken.column())) }
    })
}

impl Place {
    /// Columns count bytes from 1; 0 is the end of the line before.
    fn find(text: &str, line: usize, column: usize) -> Option<Self> {
        let whole = text.lines().nth(line.checked_sub(1)?)?;
        let at = whole.char_indices().take_while(|(index, _)| index + 1 < column).count();
        let skip = at.saturating_sub(AROUND);
        let excerpt: String = whole.chars().skip(skip).take(2 * AROUND).collect();
        let before: String = excerpt.chars().take(at - skip).collect();
        let offset = sanitize(&before).chars().count();
        Some(Self { line, column, excerpt: sanitize(&excerpt).replace('\t', " "), offset })
    }
}

impl fmt::Display for BadJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else { return write!(f, "the payload is wrong: {}", self.error) };
        let Place { line, column, excerpt, offset } = place;
        // The error may name the place as well; once is enough.
        let error = self.error.to_string();
        let error = error.split(" at line ").next().unwrap_or(&error);
        writeln!(f, "the payload is wrong, line {line}, column {column}: {error}")?;
        write!(f, "    {excerpt}\n    {:offset$}^", "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse_members(text).unwrap_err().to_string()
    }

    #[test]
    fn marks_the_place() {
        insta::assert_snapshot!(complaint(r#"{"instructions": add it}"#), @r#"
        the payload is wrong, line 1, column 18: not JSON: expected value
            {"instructions": add it}
                             ^
        "#);
        insta::assert_snapshot!(complaint("{\n  'a': 1\n}"), @r#"
        the payload is wrong, line 2, column 3: not JSON: key must be a string
              'a': 1
              ^
        "#);
    }

    #[test]
    fn shows_no_more_of_a_long_line_than_fits() {
        let text = format!(r#"{{"ä": "{}" x "{}"}}"#, "ö".repeat(100), "y".repeat(100));
        insta::assert_snapshot!(complaint(&text), @r#"
        the payload is wrong, line 1, column 211: not JSON: expected `,` or `}`
            ööööööööööööööööööööööööööööööööö" x "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy
                                               ^
        "#);
    }

    #[test]
    fn says_what_is_wrong_where_no_place_is() {
        insta::assert_snapshot!(complaint("[1]"), @"the payload is wrong: expected a JSON object, found the array");
        insta::assert_snapshot!(complaint(r#"{"a":1,"a":2}"#), @"the payload is wrong: member `a` is there twice");
    }
}
