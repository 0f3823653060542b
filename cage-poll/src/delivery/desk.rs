//! The inbox, its cursor, and the note of what was handed over.

use std::fs;
use std::io;
use std::time::Duration;

use cage_proto::env::{Clock as _, System};
use cage_proto::limits::{CONSUMED_NAMES_MAX, CURSOR_BYTES_MAX};
use cage_proto::mailbox::{
    CageDir, Consumer, ConsumerName, Draft, EntryName, Fault, Found, Mailbox, PublishError, StorageError,
    Turn, publish,
};
use cage_proto::message::{Envelope, ErrorReport, Kind, MessageId};

use super::handed::{Bearer, Handed, Proof};
use super::text;
use crate::files::{self, FileError};

/// Bytes of the note: a name and two words for each message.
const HANDED_BYTES_MAX: usize = CONSUMED_NAMES_MAX * 128;

/// Messages that are handed over at once. More wait for the next time.
const MESSAGES_MAX: usize = 32;

/// Hands messages from the inbox to the agent.
#[derive(Debug)]
pub(crate) struct Desk {
    consumer: Consumer,
    dir: CageDir,
}

/// What is handed over at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parcel {
    /// The messages as the agent reads them; empty when there are none.
    pub(crate) text: String,
    /// How long a file that somebody seems to be writing still can hold up what is behind it.
    pub(crate) unfinished: Option<Duration>,
}

/// What happens to files in the inbox that are not for the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// They stay for someone who has more time.
    PassBy,
    /// An `ack` is consumed, and a file that is no message is reported to the host and consumed.
    ClearAway,
}

/// Why nothing could be handed over, or not noted down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("could not report a file that is no message")]
    Report(#[from] PublishError),
}

impl Desk {
    pub(crate) fn open(dir: &CageDir) -> Result<Self, StorageError> {
        let consumer = Consumer::open(dir, Mailbox::Inbox, ConsumerName::of(Mailbox::Inbox))?;
        Ok(Self { consumer, dir: dir.clone() })
    }

    /// Takes what is pending for the agent, and notes down that it was handed over. Nothing when another program has
    /// its turn with the inbox for all of `patience`.
    pub(crate) fn hand_over(
        &mut self,
        by: Bearer,
        chars_max: usize,
        strictness: Strictness,
        patience: Duration,
    ) -> Result<Parcel, DeskError> {
        let Some(turn) = self.consumer.begin(patience)? else { return Ok(Parcel::default()) };
        let handed = read_handed(&self.dir)?;
        let mut visit = Visit { turn, dir: &self.dir, handed, revised: false };
        let parcel = visit.collect(by, chars_max, strictness)?;
        if !parcel.text.is_empty() {
            // Before the agent gets it: a message that is noted down in vain is handed over again, one that is not
            // noted down would be handed over twice to a living agent.
            write_handed(&self.dir, &visit.handed)?;
            if by == Bearer::Stop || (by == Bearer::Tool && visit.revised) {
                let now = EntryName::at(System.now());
                files::replace(&self.dir.instructed_file(), now.as_str().as_bytes())?;
            }
        }
        Ok(parcel)
    }

    /// Says when a hook last gave the agent something new to do: what the agent reported before that is about something
    /// else. Messages that the supervisor hands over do not count, since it begins a turn with them.
    pub(crate) fn instructed_at(dir: &CageDir) -> Option<EntryName> {
        let bytes = files::read(&dir.instructed_file(), CURSOR_BYTES_MAX).ok()??;
        std::str::from_utf8(&bytes).ok()?.parse().ok()
    }

    /// Consumes what `proof` shows to have arrived.
    pub(crate) fn settle(&mut self, proof: Proof, patience: Duration) -> Result<(), DeskError> {
        // Without the lock first: mostly there is nothing to do.
        if read_handed(&self.dir)?.arrived(proof).is_empty() {
            return Ok(());
        }
        let Some(turn) = self.consumer.begin(patience)? else { return Ok(()) };
        let mut handed = read_handed(&self.dir)?;
        consume(turn, &handed.arrived(proof))?;
        handed.strike_arrived(proof);
        write_handed(&self.dir, &handed)?;
        Ok(())
    }

    /// Takes note that all tool calls of one message of the model are done.
    pub(crate) fn end_batch(&mut self, patience: Duration) -> Result<(), DeskError> {
        if read_handed(&self.dir)?.is_empty() {
            return Ok(());
        }
        let Some(_turn) = self.consumer.begin(patience)? else { return Ok(()) };
        let mut handed = read_handed(&self.dir)?;
        if handed.end_batch() {
            write_handed(&self.dir, &handed)?;
        }
        Ok(())
    }

    /// Strikes out what an agent that is gone was handed, except by these, so that it is handed over again.
    pub(crate) fn withdraw_except(
        &mut self,
        bearers: &[Bearer],
        patience: Duration,
    ) -> Result<(), DeskError> {
        if read_handed(&self.dir)?.is_empty() {
            return Ok(());
        }
        let Some(_turn) = self.consumer.begin(patience)? else { return Ok(()) };
        let mut handed = read_handed(&self.dir)?;
        handed.keep_only(bearers);
        write_handed(&self.dir, &handed)?;
        Ok(())
    }
}

/// One turn with the inbox.
struct Visit<'a> {
    turn: Turn<'a>,
    dir: &'a CageDir,
    handed: Handed,
    /// Whether a revision was among what was taken.
    revised: bool,
}

impl Visit<'_> {
    fn collect(&mut self, by: Bearer, chars_max: usize, strictness: Strictness) -> Result<Parcel, DeskError> {
        let mut texts: Vec<String> = Vec::new();
        let mut room = chars_max;
        let mut unfinished = None;
        while texts.len() < MESSAGES_MAX {
            match self.turn.look()? {
                Found::Message(name, _) if self.handed.contains(&name) => self.turn.pass(&name),
                Found::Message(name, message) if is_for_nobody(&message) => {
                    self.clear_away(&name, strictness)?;
                }
                Found::Message(name, message) => {
                    let path = self.dir.mailbox(Mailbox::Inbox).join(name.as_str());
                    let text = text::message(&message, &path, chars_max / 2);
                    let length = text.chars().count();
                    if length > room && !texts.is_empty() {
                        break;
                    }
                    room = room.saturating_sub(length);
                    texts.push(text);
                    self.handed.add(&name, by);
                    self.revised |= message.payload.kind() == Some(Kind::TaskRevision);
                    self.turn.pass(&name);
                }
                Found::Malformed(name, fault) => {
                    if strictness == Strictness::ClearAway {
                        report(self.dir, &name, &fault)?;
                    }
                    self.clear_away(&name, strictness)?;
                }
                Found::Unfinished(_, patience) => {
                    unfinished = Some(patience);
                    break;
                }
                Found::Nothing => break,
            }
        }
        Ok(Parcel { text: texts.join("\n\n"), unfinished })
    }

    /// Consumes a name ahead of those that were handed over, which must stay unconsumed.
    fn clear_away(&mut self, name: &EntryName, strictness: Strictness) -> Result<(), StorageError> {
        if strictness == Strictness::ClearAway {
            self.turn.consume_ahead(name)?;
        }
        self.turn.pass(name);
        Ok(())
    }
}

/// Consumes these messages in order. Once one before them is not among them, the cursor stays and they are remembered
/// one by one.
fn consume(mut turn: Turn<'_>, arrived: &Handed) -> Result<(), StorageError> {
    let mut blocked = false;
    loop {
        match turn.look()? {
            Found::Message(name, message) if arrived.contains(&name) || is_for_nobody(&message) => {
                if blocked {
                    turn.consume_ahead(&name)?;
                    turn.pass(&name);
                } else {
                    turn.consume(&name)?;
                }
            }
            Found::Message(name, _) | Found::Malformed(name, _) | Found::Unfinished(name, _) => {
                blocked = true;
                turn.pass(&name);
            }
            Found::Nothing => return Ok(()),
        }
    }
}

/// An `ack` asks for nothing.
fn is_for_nobody(message: &Envelope) -> bool {
    message.payload.kind() == Some(Kind::Ack)
}

/// Tells the host about a file in the inbox that is no message. Its id says which file it was, so that it is told once.
fn report(dir: &CageDir, name: &EntryName, fault: &Fault) -> Result<(), PublishError> {
    let message = format!("inbox/{name} is no message: {fault}; it was left there and passed over");
    let id: Result<MessageId, _> = format!("malformed-inbox-{name}").parse();
    let Ok(id) = id else { return Ok(()) };
    let payload = ErrorReport::new("malformed_message", message, true).into();
    let draft = Draft { id, may_be_a_repeat: true, payload };
    publish(&dir.mailbox(Mailbox::Outbox), &draft, &System).map(|_| ())
}

fn read_handed(dir: &CageDir) -> Result<Handed, FileError> {
    let bytes = files::read(&dir.handed_file(), HANDED_BYTES_MAX)?;
    Ok(bytes.map(|bytes| Handed::parse(&bytes)).unwrap_or_default())
}

fn write_handed(dir: &CageDir, handed: &Handed) -> Result<(), FileError> {
    let path = dir.handed_file();
    if !handed.is_empty() {
        return files::replace(&path, &handed.to_bytes());
    }
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", &path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cage_proto::env::IdSource as _;
    use cage_proto::mailbox::Follow;
    use cage_proto::mailbox::Item;
    use cage_proto::message::{Ack, InfoResponse, Payload, TaskRevision};
    use cage_proto::schedule::Schedule;

    struct Cage {
        _folder: tempfile::TempDir,
        dir: CageDir,
        desk: Desk,
    }

    impl Cage {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let dir = CageDir::new(folder.path());
            let desk = Desk::open(&dir).unwrap();
            Self { _folder: folder, dir, desk }
        }

        fn send(&self, payload: impl Into<Payload>) {
            let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload: payload.into() };
            publish(&self.dir.mailbox(Mailbox::Inbox), &draft, &System).unwrap();
        }

        fn revise(&self, instructions: &str) {
            self.send(TaskRevision::new(instructions));
        }

        fn take(&mut self, by: Bearer) -> String {
            self.desk.hand_over(by, 1000, Strictness::ClearAway, Duration::ZERO).unwrap().text
        }

        /// What a consumer with the same cursor still finds.
        fn left(&self) -> usize {
            let mut desk = Desk::open(&self.dir).unwrap();
            let mut turn = desk.consumer.begin(Duration::ZERO).unwrap().unwrap();
            let mut left = 0;
            while let Found::Message(name, _) | Found::Malformed(name, _) = turn.look().unwrap() {
                turn.pass(&name);
                left += 1;
            }
            left
        }

        fn reports(&self) -> Vec<String> {
            let outbox = self.dir.mailbox(Mailbox::Outbox);
            let mut follow = Follow::open(&outbox, None, Schedule::default()).unwrap();
            let mut reports = Vec::new();
            while let Item::Message(name, message) = follow.next(Duration::ZERO, None).unwrap() {
                follow.consume(&name).unwrap();
                let Payload::Error(report) = message.payload else { panic!("{message:?}") };
                reports.push(report.message);
            }
            reports
        }
    }

    #[test]
    fn hands_over_in_order_once_and_consumes_when_it_arrived() {
        let mut cage = Cage::new();
        cage.revise("first");
        cage.revise("second");
        let text = cage.take(Bearer::Turn);
        assert!(text.find("first") < text.find("second"), "{text}");
        assert_eq!(cage.take(Bearer::Turn), "");
        assert_eq!(cage.left(), 2);
        cage.desk.settle(Proof::Spoke, Duration::ZERO).unwrap();
        assert_eq!(cage.left(), 0);
        assert!(!cage.dir.handed_file().exists());
    }

    #[test]
    fn hands_over_again_what_was_withdrawn() {
        let mut cage = Cage::new();
        cage.revise("by a hook");
        cage.take(Bearer::Tool);
        cage.revise("by the supervisor");
        cage.take(Bearer::Turn);
        cage.desk.withdraw_except(&[Bearer::Turn], Duration::ZERO).unwrap();
        let text = cage.take(Bearer::Turn);
        assert!(text.contains("by a hook") && !text.contains("by the supervisor"), "{text}");
    }

    #[test]
    fn leaves_an_earlier_message_when_a_later_one_arrived() {
        let mut cage = Cage::new();
        cage.revise("never handed over");
        let early = cage.take(Bearer::Tool);
        cage.revise("later");
        cage.take(Bearer::Turn);
        cage.desk.settle(Proof::Spoke, Duration::ZERO).unwrap();
        cage.desk.withdraw_except(&[], Duration::ZERO).unwrap();
        assert_eq!(cage.take(Bearer::Turn), early);
        assert_eq!(cage.left(), 1);
    }

    #[test]
    fn says_when_a_hook_gave_the_agent_something_new_to_do() {
        let mut cage = Cage::new();
        cage.revise("as a turn");
        cage.take(Bearer::Turn);
        cage.send(InfoResponse::to("r-1").with_content("beside a tool"));
        cage.take(Bearer::Tool);
        assert_eq!(Desk::instructed_at(&cage.dir), None);
        for by in [Bearer::Tool, Bearer::Stop] {
            cage.revise("by a hook");
            let before = EntryName::at(System.now());
            cage.take(by);
            assert!(Desk::instructed_at(&cage.dir) >= Some(before), "{by:?}");
        }
    }

    #[test]
    fn consumes_an_ack_without_handing_it_over() {
        let mut cage = Cage::new();
        cage.revise("work");
        cage.send(Ack::new("x"));
        assert!(!cage.take(Bearer::Turn).contains("ack"));
        assert_eq!(cage.left(), 1, "the revision has not arrived yet");
    }

    #[test]
    fn reports_a_file_that_is_no_message_once_and_goes_on() {
        let mut cage = Cage::new();
        let inbox = cage.dir.mailbox(Mailbox::Inbox);
        fs::write(inbox.join("2026-01-01T00-00-00Z.json"), "[]").unwrap();
        cage.revise("behind it");
        assert!(cage.take(Bearer::Turn).contains("behind it"));
        cage.take(Bearer::Turn);
        insta::assert_snapshot!(cage.reports().join("\n"), @"inbox/2026-01-01T00-00-00Z.json is no message: expected a JSON object, found the array; it was left there and passed over");
    }

    #[test]
    fn passes_by_what_it_may_not_clear_away() {
        let mut cage = Cage::new();
        cage.send(Ack::new("x"));
        let parcel = cage.desk.hand_over(Bearer::Tool, 1000, Strictness::PassBy, Duration::ZERO).unwrap();
        assert_eq!((parcel.text.as_str(), cage.left()), ("", 1));
    }

    #[test]
    fn leaves_for_later_what_does_not_fit() {
        let mut cage = Cage::new();
        for index in 0..4 {
            cage.revise(&format!("{index}{}", "x".repeat(300)));
        }
        let shown = |text: &str| text.matches("task_revision (id").count();
        assert_eq!(shown(&cage.take(Bearer::Turn)), 2);
        assert_eq!(shown(&cage.take(Bearer::Turn)), 2);
    }
}
