//! Where mailboxes and cursors lie in a cage's message folder. No other module knows these names.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::limits::CONSUMER_NAME_BYTES_MAX;
use crate::message::Direction;

/// The message folder of a cage, usually `~/.cage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CageDir(PathBuf);

/// One of the two mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mailbox {
    /// The host writes, the agent reads.
    Inbox,
    /// The agent writes, the host reads.
    Outbox,
}

impl CageDir {
    /// Names a message folder. Nothing is created.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Finds the message folder: the one that was asked for, else `CAGE_DIR`, else `.cage` in the home folder, which is
    /// `HOME` or what the password file says.
    ///
    /// # Errors
    /// When there is none of these.
    pub fn find(asked: Option<PathBuf>) -> Result<Self, NoHome> {
        let not_empty = |path: &PathBuf| !path.as_os_str().is_empty();
        let from_environment = || std::env::var_os("CAGE_DIR").map(PathBuf::from).filter(not_empty);
        let in_home = || std::env::home_dir().filter(not_empty).map(|home| home.join(".cage"));
        asked.filter(not_empty).or_else(from_environment).or_else(in_home).map(Self).ok_or(NoHome)
    }

    /// Returns the folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Returns the folder of a mailbox.
    pub fn mailbox(&self, mailbox: Mailbox) -> PathBuf {
        self.0.join(mailbox.name())
    }

    /// Returns the folder of the cursor files.
    pub fn cursors(&self) -> PathBuf {
        self.0.join("cursor")
    }
}

impl Mailbox {
    /// Both mailboxes.
    pub const ALL: [Self; 2] = [Self::Inbox, Self::Outbox];

    /// Returns the name of its folder, and of its usual consumer.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Outbox => "outbox",
        }
    }
}

impl From<Direction> for Mailbox {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::In => Self::Inbox,
            Direction::Out => Self::Outbox,
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Says that no message folder was named and that there is no home folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message folder: give --dir, or set CAGE_DIR or HOME")]
pub struct NoHome;

/// Says that a text names no mailbox.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mailbox is `inbox` or `outbox`")]
pub struct UnknownMailbox;

impl FromStr for Mailbox {
    type Err = UnknownMailbox;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|mailbox| mailbox.name() == text).ok_or(UnknownMailbox)
    }
}

/// The name of a consumer, from which its cursor file takes its name: letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerName(String);

/// Says that a text is no consumer's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a consumer's name has 1 to {CONSUMER_NAME_BYTES_MAX} letters, digits, `-` or `_`")]
pub struct InvalidConsumerName;

impl ConsumerName {
    /// Returns the usual consumer of a mailbox, whose cursor is `inbox.cursor` or `outbox.cursor`.
    pub fn of(mailbox: Mailbox) -> Self {
        Self(mailbox.name().to_owned())
    }

    /// Returns the mailbox whose usual consumer has this name.
    pub(crate) fn usual_mailbox(&self) -> Option<Mailbox> {
        self.0.parse().ok()
    }

    /// Returns the name of its cursor file: the last consumed name, as other tools read it too.
    pub(crate) fn cursor_file(&self) -> String {
        format!("{}.cursor", self.0)
    }

    /// Returns the name of the file that remembers the names consumed lately, one by one.
    pub(crate) fn progress_file(&self) -> String {
        format!(".{}.progress", self.0)
    }

    /// Returns the name of the file whose lock gives the right to move the cursor.
    pub(crate) fn lock_file(&self) -> String {
        format!(".{}.lock", self.0)
    }
}

impl FromStr for ConsumerName {
    type Err = InvalidConsumerName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=CONSUMER_NAME_BYTES_MAX).contains(&text.len());
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if fits && plain { Ok(Self(text.to_owned())) } else { Err(InvalidConsumerName) }
    }
}

impl fmt::Display for ConsumerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_a_consumer_that_would_leave_its_folder() {
        for text in ["", ".", "..", "a/b", "../x", ".hidden", "a b", &"x".repeat(65)] {
            assert_eq!(text.parse::<ConsumerName>(), Err(InvalidConsumerName), "{text}");
        }
        assert_eq!("night-watch_2".parse::<ConsumerName>().unwrap().cursor_file(), "night-watch_2.cursor");
    }
}
