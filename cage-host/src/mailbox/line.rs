//! What `cage-poll --follow` prints, parsed.

use bytes::{Buf as _, BytesMut};
use cage_proto::follow_record::{FollowNotice, FollowRecord, FollowRecordError, NoticeKind};
use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::mailbox::EntryName;
use cage_proto::message::Envelope;

use super::content::Content;
use crate::sanitize::sanitize;

/// Longest line, in bytes: the largest message, and room for its name and for escapes that a file does not need.
pub(super) const MAX_LINE_BYTES: usize = 2 * MESSAGE_BYTES_MAX;

/// What a remark about the mailbox begins with on the error output of an older follower.
const REMARK: &str = "POLL_NOTICE ";

/// One line of a follower's output.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    /// A message under its name.
    Message(EntryName, Box<Envelope>),
    /// Something that is in the mailbox but no message: its name as text that is safe to show, and what it is.
    Malformed(String, Content),
    /// The follower lives.
    Heartbeat,
    /// Something about the mailbox as a whole, or a line that makes no sense.
    Notice(Content),
}

/// Cuts a stream of bytes into lines, never holding more than one limit of them.
#[derive(Debug)]
pub(crate) struct LineBuffer {
    buffer: BytesMut,
    limit: usize,
    /// The line being read has passed the limit; its rest is thrown away.
    skipping: bool,
}

impl LineBuffer {
    pub(crate) fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, skipping: false }
    }

    /// Takes the next piece of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns what came behind the last line that was taken.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        self.buffer.split().to_vec()
    }

    /// Returns the next complete line; an `Err` stands for one that was too long.
    pub(crate) fn next(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') else {
            if self.buffer.len() > self.limit {
                self.skipping = true;
                self.buffer.clear();
            }
            return None;
        };
        let line = self.buffer.split_to(end);
        self.buffer.advance(1);
        let too_long = std::mem::take(&mut self.skipping) || line.len() > self.limit;
        Some(if too_long { Err(TooLong) } else { Ok(line.to_vec()) })
    }
}

/// A line was longer than its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Line {
    /// Understands a line. What cannot be understood comes out as a [`Line::Notice`], never as silence.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        match FollowRecord::parse(bytes) {
            Ok(FollowRecord::Message(name, message)) => Self::Message(name, message),
            Ok(FollowRecord::Malformed { name, oversize: true, .. }) => {
                Self::Malformed(sanitize(&name), Content::Oversize)
            }
            Ok(FollowRecord::Malformed { name, why, .. })
            | Err(FollowRecordError::NotAMessage { name, why }) => {
                Self::Malformed(sanitize(&name), Content::Malformed(sanitize(&why)))
            }
            Ok(FollowRecord::Notice(notice)) => Self::Notice(content_of(notice)),
            Ok(FollowRecord::Heartbeat(_)) => Self::Heartbeat,
            Err(error) => Self::notice(&error.to_string()),
        }
    }

    /// Something about the mailbox that has only words.
    pub(super) fn notice(text: &str) -> Self {
        Self::Notice(Content::Notice(sanitize(text)))
    }

    /// Understands a line of the error output; most are only of interest when the follower fails.
    pub(super) fn of_remark(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        text.strip_prefix(REMARK).map(Self::notice)
    }
}

fn content_of(notice: FollowNotice) -> Content {
    match notice.kind {
        NoticeKind::Crowded { files } => Content::Backlog { files },
        NoticeKind::HeldUp { name } => Content::HeldUp { name: sanitize(&name) },
        NoticeKind::MoreStrays { .. } | NoticeKind::Other(_) => Content::Notice(sanitize(&notice.text)),
    }
}

impl From<TooLong> for Line {
    fn from(TooLong: TooLong) -> Self {
        Self::notice(&format!("the follower printed a line over {MAX_LINE_BYTES} bytes; it was skipped"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "2026-03-26T14-30-00.000123Z.json";
    const ACK: &str =
        r#"{"id":"a","type":"ack","timestamp":"2026-03-26T14:30:00.000123Z","payload":{"acked_id":"b"}}"#;

    #[test]
    fn accepts_a_message_with_its_name() {
        let line = Line::parse(format!(r#"{{"name":"{NAME}","message":{ACK}}}"#).as_bytes());
        let Line::Message(name, envelope) = line else { panic!("{line:?}") };
        assert_eq!((name.as_str(), envelope.id.as_str()), (NAME, "a"));
    }

    #[test]
    fn accepts_heartbeats_and_reports_of_malformed_files() {
        assert_eq!(Line::parse(br#"{"heartbeat":"2026-03-26T14:30:00Z"}"#), Line::Heartbeat);
        let line = Line::parse(b"{\"name\":\"x\\u001b.json\",\"malformed\":\"not JSON\"}");
        assert_eq!(line, Line::Malformed("x\\u{1b}.json".into(), Content::Malformed("not JSON".into())));
    }

    #[test]
    fn rejects_a_message_that_is_none_but_names_it() {
        let line = Line::parse(format!(r#"{{"name":"{NAME}","message":{{"id":"a"}}}}"#).as_bytes());
        assert!(matches!(&line, Line::Malformed(name, _) if name == NAME), "{line:?}");
        let line = Line::parse(format!(r#"{{"name":"../x","message":{ACK}}}"#).as_bytes());
        assert!(matches!(&line, Line::Malformed(..)), "{line:?}");
    }

    #[test]
    fn accepts_what_a_follower_noticed_in_a_form_for_programs() {
        for (line, content) in [
            (r#"{"notice":"crowded","files":7,"text":"t"}"#, Content::Backlog { files: 7 }),
            (
                r#"{"notice":"held_up","name":"x\u001b","text":"t"}"#,
                Content::HeldUp { name: "x\\u{1b}".into() },
            ),
            (r#"{"notice":"more_strays","files":7,"text":"7 more"}"#, Content::Notice("7 more".into())),
            (r#"{"notice":"of a later version","text":"new\u001b"}"#, Content::Notice("new\\u{1b}".into())),
        ] {
            assert_eq!(Line::parse(line.as_bytes()), Line::Notice(content), "{line}");
        }
        let line = Line::parse(br#"{"name":"x.json","malformed":"larger","oversize":true}"#);
        assert_eq!(line, Line::Malformed("x.json".into(), Content::Oversize));
    }

    #[test]
    fn turns_nonsense_into_a_notice() {
        for nonsense in ["", "null", "[]", "{", "{}", r#"{"name":1}"#, "\u{1b}[2J"] {
            let line = Line::parse(nonsense.as_bytes());
            assert!(
                matches!(&line, Line::Notice(content) if !content.to_string().contains('\u{1b}')),
                "{nonsense:?}: {line:?}"
            );
        }
    }

    #[test]
    fn accepts_remarks_and_nothing_else_from_the_error_output() {
        assert_eq!(Line::of_remark(b"POLL_NOTICE 3 missing"), Some(Line::notice("3 missing")));
        assert_eq!(Line::of_remark(b"cage-poll: something"), None);
    }

    #[test]
    fn cuts_lines_wherever_the_stream_is_cut() {
        let mut buffer = LineBuffer::new(100);
        let mut lines = Vec::new();
        for byte in b"one\n\ntwo\nthr" {
            buffer.push(&[*byte]);
            lines.extend(std::iter::from_fn(|| buffer.next()));
        }
        assert_eq!(lines, [Ok(b"one".to_vec()), Ok(Vec::new()), Ok(b"two".to_vec())]);
    }

    #[test]
    fn reports_a_line_over_the_limit_once_and_goes_on_behind_it() {
        let mut buffer = LineBuffer::new(4);
        for piece in [&b"12"[..], b"345", b"678", b"9\nok\n"] {
            buffer.push(piece);
            if let Some(line) = buffer.next() {
                assert_eq!(line, Err(TooLong));
            }
        }
        assert_eq!(buffer.next(), Some(Ok(b"ok".to_vec())));
        assert_eq!(buffer.next(), None);
    }

    proptest::proptest! {
        #[test]
        fn finds_the_same_lines_wherever_the_stream_is_cut(bytes: Vec<u8>, cut in 0..100_usize) {
            let mut whole = LineBuffer::new(1_000);
            whole.push(&bytes);
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let mut cut = LineBuffer::new(1_000);
            cut.push(first);
            let mut lines: Vec<_> = std::iter::from_fn(|| cut.next()).collect();
            cut.push(second);
            lines.extend(std::iter::from_fn(|| cut.next()));
            proptest::prop_assert_eq!(lines, std::iter::from_fn(|| whole.next()).collect::<Vec<_>>());
        }

        #[test]
        fn understands_any_line_without_a_control_character_in_its_report(bytes: Vec<u8>) {
            if let Line::Notice(content) | Line::Malformed(_, content) = Line::parse(&bytes) {
                let text = content.to_string();
                proptest::prop_assert!(!text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')), "{text:?}");
            }
        }
    }
}
