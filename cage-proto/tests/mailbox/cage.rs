//! A message folder of its own for each test, and a clock to turn by hand.

use std::cell::Cell;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cage_proto::env::{Clock, IdSource as _, System};
use cage_proto::mailbox::{
    CageDir, Consumer, ConsumerName, Draft, EntryName, Follow, Found, Item, Mailbox, Notice, PublishError,
    Published, publish,
};
use cage_proto::message::{Envelope, Payload, ProgressUpdate};
use chrono::TimeDelta;
use chrono::{DateTime, Utc};
use tempfile::TempDir;

/// A clock that shows what it is told.
pub(crate) struct Hand(pub(crate) Cell<DateTime<Utc>>);

impl Hand {
    pub(crate) fn at(text: &str) -> Self {
        Self(Cell::new(text.parse().unwrap()))
    }

    pub(crate) fn turn(&self, by: TimeDelta) {
        self.0.set(self.0.get() + by);
    }
}

impl Clock for Hand {
    fn now(&self) -> DateTime<Utc> {
        self.0.get()
    }
}

pub(crate) struct Cage {
    _temp: TempDir,
    pub(crate) dir: CageDir,
}

impl Cage {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn in_folder(temp: TempDir) -> Self {
        Self { dir: CageDir::new(temp.path().join("cage")), _temp: temp }
    }

    pub(crate) fn outbox(&self) -> PathBuf {
        self.dir.mailbox(Mailbox::Outbox)
    }

    pub(crate) fn put(&self, name: &str, content: &str) {
        fs::create_dir_all(self.outbox()).unwrap();
        fs::write(self.outbox().join(name), content).unwrap();
    }

    pub(crate) fn consumer(&self) -> Consumer {
        Consumer::open(&self.dir, Mailbox::Outbox, ConsumerName::of(Mailbox::Outbox)).unwrap()
    }

    pub(crate) fn try_send(&self, draft: &Draft, clock: &impl Clock) -> Result<Published, PublishError> {
        publish(&self.outbox(), draft, clock)
    }

    pub(crate) fn send(&self, status: &str, clock: &impl Clock) -> Published {
        self.try_send(&draft(status), clock).unwrap()
    }

    /// Consumes all there is and says what it was.
    pub(crate) fn consume_all(&self) -> Vec<String> {
        let mut consumer = self.consumer();
        let mut turn = consumer.begin(Duration::ZERO).unwrap().expect("nobody else has the turn");
        let mut seen = Vec::new();
        loop {
            let (name, text) = match turn.look().unwrap() {
                Found::Message(name, message) => (name, status(&message.payload)),
                Found::Malformed(name, fault) => (name, fault.to_string()),
                Found::Unfinished(..) | Found::Nothing => return seen,
            };
            turn.consume(&name).unwrap();
            seen.push(text);
        }
    }

    /// The names in the outbox that are not ours to hide.
    pub(crate) fn listing(&self) -> Vec<String> {
        let names = fs::read_dir(self.outbox())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".lock" && name != ".last").collect();
        names.sort();
        names
    }
}

pub(crate) fn draft(status: &str) -> Draft {
    Draft { id: System.next_id(), may_be_a_repeat: false, payload: ProgressUpdate::new(status).into() }
}

pub(crate) fn status(payload: &Payload) -> String {
    match payload {
        Payload::ProgressUpdate(update) => update.status.clone(),
        other => other.type_name().to_owned(),
    }
}

pub(crate) fn message(status: &str) -> String {
    format!(
        r#"{{"id":"f","type":"progress_update","timestamp":"2026-01-01T00:00:00.000Z","payload":{{"status":"{status}"}}}}"#
    )
}

/// Follows to the next item that is no remark about an unfinished file.
pub(crate) fn next_item(follow: &mut Follow, patience: Duration) -> Item {
    match follow.next(patience, None).unwrap() {
        Item::Notice(Notice::HeldUp(_)) => follow.next(patience, None).unwrap(),
        item => item,
    }
}

/// Follows to the next message and goes on behind it.
pub(crate) fn next_message(follow: &mut Follow) -> (EntryName, Envelope) {
    match next_item(follow, Duration::from_secs(20)) {
        Item::Message(name, message) => {
            follow.consume(&name).unwrap();
            (name, message)
        }
        other => panic!("{other:?}"),
    }
}
