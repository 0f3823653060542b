//! Commands that can be pasted: an example for the help, and for a rejected payload the one that would have been right.

use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Direction, Kind, Shape, parse_object};
use serde_json::{Map, Value};

/// Longest value of a member that is shown again in a corrected command, in characters.
const VALUE_CHARS_MAX: usize = 200;

/// Returns the examples at the end of a type's help.
pub(crate) fn help(kind: Kind) -> String {
    let example = parse_object(kind.example().as_bytes()).unwrap_or_default();
    let words = [&program(kind)[..], &[quote(kind.example())]].concat();
    format!("Examples:\n  {}\n  {}", command(kind, &example), words.join(" "))
}

/// Returns the command for these members, with values from the kind's example where they are missing or do not fit.
pub(crate) fn command(kind: Kind, members: &Map<String, Value>) -> String {
    let example = parse_object(kind.example().as_bytes()).unwrap_or_default();
    let mut words = program(kind);
    for member in kind.members() {
        let given = members.get(member.name).and_then(|value| flag_values(member.shape, value));
        let values = match given {
            None if member.required => {
                example.get(member.name).and_then(|value| flag_values(member.shape, value))
            }
            given => given,
        };
        for value in values.unwrap_or_default() {
            words.push(format!("--{}", member.name.replace('_', "-")));
            words.push(quote(&value));
        }
    }
    words.join(" ")
}

/// The words with which every command for a type begins.
fn program(kind: Kind) -> Vec<String> {
    let mut words = vec!["cage-send".to_owned(), kind.name().to_owned()];
    // An agent sends from the cage; whoever sends to it says so.
    if kind.direction() == Direction::In {
        words.extend(["--mailbox".to_owned(), Mailbox::Inbox.to_string()]);
    }
    words
}

/// Writes a value as its flag wants it; nothing when it does not fit.
fn flag_values(shape: Shape, value: &Value) -> Option<Vec<String>> {
    let one = |text: String| (text.chars().count() <= VALUE_CHARS_MAX).then(|| vec![text]);
    match (shape, value) {
        (Shape::Text | Shape::TextList, Value::String(text)) => one(text.clone()),
        // An agent that writes a number where a text belongs means the text.
        (Shape::Text | Shape::Number, Value::Number(number)) => one(number.to_string()),
        (Shape::Boolean, Value::Bool(flag)) => one(flag.to_string()),
        (Shape::Boolean, Value::String(text)) if text.parse::<bool>().is_ok() => one(text.clone()),
        (Shape::Integer, Value::Number(number)) if number.is_i64() => one(number.to_string()),
        (Shape::Integer, Value::String(text)) if text.trim().parse::<i64>().is_ok() => {
            one(text.trim().to_owned())
        }
        (Shape::TextList, Value::Array(texts)) => {
            texts.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        }
        (Shape::FileList, Value::Array(files)) => {
            files.iter().map(|file| Some(file.get("path")?.as_str()?.to_owned())).collect()
        }
        _ => None,
    }
}

/// Quotes a word for a POSIX shell.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(kind: Kind, members: &str) -> String {
        command(kind, &parse_object(members.as_bytes()).unwrap())
    }

    #[test]
    fn keeps_what_was_right_and_mends_what_was_not() {
        insta::assert_snapshot!(
            corrected(Kind::TaskComplete, r#"{"summary":"it's done","exit_code":"0"}"#),
            @r"cage-send task_complete --summary 'it'\''s done' --exit-code 0"
        );
        insta::assert_snapshot!(
            corrected(Kind::Error, r#"{"message":"no disk","recoverable":"yes"}"#),
            @"cage-send error --error-type missing_tool --message 'no disk' --recoverable true"
        );
        insta::assert_snapshot!(
            corrected(Kind::InfoRequest, r#"{"request_id":7,"description":"d","paths":"a b"}"#),
            @"cage-send info_request --request-id 7 --description d --paths 'a b'"
        );
    }
}
