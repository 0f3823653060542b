//! What lies in a mailbox, as a consumer gets it.

use std::fmt;

use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::message::Envelope;

use crate::sanitize::sanitize;

/// What a [`Delivery`](crate::Delivery) or a listed entry holds.
///
/// A message comes from a cage as it is: show its text through [`crate::sanitize`]. Everything else is safe to show,
/// and its `Display` says in words what it is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Content {
    /// A whole and valid message.
    Message(Box<Envelope>),
    /// A file that is no message, and why. It stays in the cage.
    Malformed(String),
    /// A file that is larger than a message may be, which is 1 MiB. It stays in the cage and was not read.
    Oversize,
    /// Messages were removed before this consumer saw them.
    Gap(Gap),
    /// So many files are kept in the mailbox that listing it has become slow. Nothing is lost.
    Backlog {
        /// How many files there are.
        files: u64,
    },
    /// A file is not finished, and the messages behind it wait: until it is, or at the most a minute.
    HeldUp {
        /// Its name.
        name: String,
    },
    /// Anything else about the mailbox as a whole that should not stay unknown.
    Notice(String),
}

/// Numbers of messages that are missing between two that came.
///
/// Messages are numbered from 1 in each mailbox without a gap, so what is missing was removed. A file that is no
/// message any more was told of as [`Content::Malformed`] and does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The first number that is missing.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

impl Content {
    /// Returns the message, unless it is something else.
    pub fn message(&self) -> Option<&Envelope> {
        match self {
            Self::Message(message) => Some(message),
            _ => None,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(message) => f.write_str(&sanitize(&message.to_line())),
            Self::Malformed(why) => write!(f, "not a message: {why}"),
            Self::Oversize => write!(f, "not a message: larger than {MESSAGE_BYTES_MAX} bytes"),
            Self::Gap(gap) if gap.first == gap.last => write!(f, "message {} was removed unread", gap.first),
            Self::Gap(gap) => write!(f, "messages {} to {} were removed unread", gap.first, gap.last),
            Self::Backlog { files } => {
                write!(f, "{files} files in the mailbox; remove consumed ones to keep it fast")
            }
            Self::HeldUp { name } => write!(f, "{name} is not finished; the messages behind it wait"),
            Self::Notice(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_in_words_what_it_is() {
        insta::assert_snapshot!(Content::Malformed("the JSON ends in the middle".into()), @"not a message: the JSON ends in the middle");
        insta::assert_snapshot!(Content::Oversize, @"not a message: larger than 1048576 bytes");
        insta::assert_snapshot!(Content::Gap(Gap { first: 3, last: 3 }), @"message 3 was removed unread");
        insta::assert_snapshot!(Content::Gap(Gap { first: 3, last: 5 }), @"messages 3 to 5 were removed unread");
        insta::assert_snapshot!(Content::Backlog { files: 100_001 }, @"100001 files in the mailbox; remove consumed ones to keep it fast");
        insta::assert_snapshot!(Content::HeldUp { name: "x.json".into() }, @"x.json is not finished; the messages behind it wait");
    }
}
