//! Author, date and message of a commit, as text that is safe to show and to write.

use std::fmt;

use cage_proto::message::Timestamp;
use chrono::{DateTime, Utc};

use crate::sanitize::sanitize;

/// Longest message that is kept, in bytes.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;

/// Longest name and address that are kept, in characters each.
const MAX_NAME_CHARS: usize = 200;

/// What stands where a commit names nobody.
const NOBODY: &str = "unknown";

/// Last second of the year 9999, counted from 1970: what every tool can write as a date.
const LAST_SECOND: i64 = 253_402_300_799;

/// Who a commit says that it is by. The agent can write any name there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Author {
    /// The name, on one line and without angle brackets.
    pub name: String,
    /// The address, on one line and without angle brackets; empty if there is none.
    pub email: String,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.email)
    }
}

/// What a commit says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitText {
    pub(super) author: Author,
    pub(super) date: Timestamp,
    pub(super) subject: String,
    pub(super) body: String,
}

/// Parses the content of a commit object; whatever makes no sense is replaced by something harmless.
pub(super) fn parse(object: &[u8]) -> CommitText {
    let end = object.windows(2).position(|pair| pair == b"\n\n").unwrap_or(object.len());
    let (header, message) = object.split_at(end);
    let author = header.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"author "));
    let (author, seconds) = parse_author(author.unwrap_or_default());
    let (subject, body) = parse_message(message);
    CommitText { author, date: date(seconds), subject, body }
}

/// Parses `name <address> seconds zone`.
fn parse_author(line: &[u8]) -> (Author, i64) {
    let text = String::from_utf8_lossy(line);
    let (who, when) = text.rsplit_once('>').unwrap_or((&text, ""));
    let (name, email) = who.split_once('<').unwrap_or((who, ""));
    let seconds = when.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let name = Some(one_line(name)).filter(|name| !name.is_empty()).unwrap_or_else(|| NOBODY.to_owned());
    (Author { name, email: one_line(email) }, seconds)
}

/// Leaves nothing that could end a name or a line in git's own format.
fn one_line(text: &str) -> String {
    let plain = |character: &char| !character.is_control() && !matches!(character, '<' | '>');
    let kept: String = text.chars().filter(plain).take(MAX_NAME_CHARS).collect();
    sanitize(kept.trim())
}

fn date(seconds: i64) -> Timestamp {
    DateTime::<Utc>::from_timestamp(seconds.clamp(0, LAST_SECOND), 0).unwrap_or_default().into()
}

fn parse_message(message: &[u8]) -> (String, String) {
    let message = &message[..message.len().min(MAX_MESSAGE_BYTES)];
    let text = sanitize(&String::from_utf8_lossy(message).replace("\r\n", "\n"));
    let text = text.trim();
    let (subject, body) = text.split_once('\n').unwrap_or((text, ""));
    (subject.trim_end().to_owned(), body.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: &[u8] = b"tree 1\nparent 2\nauthor Ann \xc3\x84 <ann@x.org> 1700000000 +0200\ncommitter C <c@x> 1 +0000\ngpgsig -----\n author Evil <e@x> 5 +0000\n\nAdd a flag\n\nIt is\nuseful.\n";

    #[test]
    fn accepts_an_ordinary_commit() {
        let commit = parse(USUAL);
        assert_eq!(commit.author.to_string(), "Ann Ä <ann@x.org>");
        assert_eq!(commit.date.to_string(), "2023-11-14T22:13:20.000000Z");
        assert_eq!((commit.subject.as_str(), commit.body.as_str()), ("Add a flag", "It is\nuseful."));
    }

    #[test]
    fn leaves_nothing_in_an_author_that_could_end_the_line() {
        let hostile: [&[u8]; 6] = [
            b"author a\rcommitter evil <x> 1 +0000",
            b"author <<>> <a@b> 99999999999999999999 +0000",
            b"author \x1b[2J <\0> -1 +0000",
            b"author",
            b"",
            b"author \xff\xfe <\xff> x y",
        ];
        for object in hostile {
            let author = parse(object).author;
            assert!(!author.name.is_empty(), "{}", object.escape_ascii());
            let text = format!("{}{}", author.name, author.email);
            assert!(!text.contains(['<', '>', '\n', '\r', '\0', '\u{1b}']), "{text:?}");
        }
    }

    #[test]
    fn keeps_the_date_within_what_can_be_written() {
        for (seconds, year) in [(i64::MAX, "9999"), (i64::MIN, "1970")] {
            let commit = parse(format!("author a <b> {seconds} +0000\n\nx").as_bytes());
            assert!(commit.date.to_string().starts_with(year), "{}", commit.date);
        }
    }

    #[test]
    fn shows_a_message_without_control_characters_and_cuts_it() {
        let commit = parse(b"author a <b> 1 +0000\n\n\x1b[31mred\x07\r\nbody\0\n");
        assert_eq!((commit.subject.as_str(), commit.body.as_str()), ("\\u{1b}[31mred\\u{7}", "body\\u{0}"));
        let long = [b"author a <b> 1 +0000\n\n".as_slice(), &vec![b'x'; 1_000_000]].concat();
        assert!(parse(&long).subject.len() <= MAX_MESSAGE_BYTES);
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes(bytes: Vec<u8>) {
            let commit = parse(&bytes);
            proptest::prop_assert!(!commit.author.name.contains(char::is_control));
            proptest::prop_assert!(!commit.subject.contains(char::is_control) || commit.subject.contains('\t'));
        }
    }
}
