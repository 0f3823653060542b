//! What is printed. Names come from the other side and may hold anything, so they are made harmless first.

use std::ffi::OsStr;
use std::io::{self, Write as _};

use cage_proto::follow_record::FollowRecord;
use cage_proto::mailbox::{EntryName, Fault, Notice};
use cage_proto::message::MessageError;

/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Longest reason that is shown, in characters. A reason can repeat what stands in a file.
const REASON_CHARS_MAX: usize = 300;

/// Writes a line to stdout and waits until it has been taken.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Says on stderr, in this program's name, what went wrong or was done beside the work.
pub(crate) fn complain(text: &str) {
    remark(&format!("cage-poll: {text}"));
}

/// Writes a line to stderr, in one go. Where nobody reads it the work goes on: a remark is worth less than a message.
pub(crate) fn remark(text: &str) {
    let _ = io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// A record of `--follow` for a file that is no message.
pub(crate) fn malformed(name: &str, fault: &Fault) -> FollowRecord {
    let oversize = *fault == Fault::Content(MessageError::TooLarge);
    FollowRecord::Malformed {
        name: name.to_owned(),
        why: harmless(&fault.to_string(), REASON_CHARS_MAX),
        oversize,
    }
}

/// Tells on stderr what was passed.
pub(crate) fn warn_malformed(name: &EntryName, fault: &Fault) {
    remark(&format!("POLL_MALFORMED {name}: {}", harmless(&fault.to_string(), REASON_CHARS_MAX)));
}

/// Tells on stderr what was noticed about the folder.
pub(crate) fn warn_notice(notice: &Notice) {
    match notice {
        Notice::Stray(name) => remark(&format!("POLL_MALFORMED {}: {notice}", printable(name))),
        _ => remark(&format!("POLL_NOTICE {notice}")),
    }
}

/// Shows a file name without what would drive a terminal, cut to a bearable length.
pub(crate) fn printable(name: &OsStr) -> String {
    harmless(&name.to_string_lossy(), NAME_CHARS_MAX)
}

fn harmless(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().take(chars_max).flat_map(escaped).collect();
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that reorder the text around them.
fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(c: char) -> Vec<char> {
    if c.is_control() || reorders(c) { c.escape_default().collect() } else { vec![c] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn shows_a_hostile_name_without_its_teeth() {
        let name = OsStr::from_bytes(b"\x1b[2J\n\xff\xe2\x80\xae.json");
        insta::assert_snapshot!(printable(name), @r"\u{1b}[2J\n�\u{202e}.json");
        assert_eq!(printable(OsStr::new(&"x".repeat(500))).chars().count(), NAME_CHARS_MAX + 1);
    }

    #[test]
    fn shows_a_hostile_reason_without_its_teeth() {
        let why = format!("member `\u{9b}31m{}` is there twice", "x".repeat(100_000));
        let fault = Fault::Content(MessageError::NotJson(why));
        let line = malformed("a.json", &fault).to_string();
        assert!(line.len() < 400 && !line.contains(char::is_control), "{line}");
    }
}
