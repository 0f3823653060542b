//! The mailbox on a real file system: publish, consume, follow.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failure with a line number")]

use std::cell::Cell;
use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::Duration;

use cage_proto::env::{Clock, IdSource as _, System};
use cage_proto::mailbox::{
    CageDir, Consumer, ConsumerName, Draft, EntryName, Follow, Found, Item, Mailbox, Notice, PublishError,
    Published, Waited, Waiter, Wanted, publish,
};
use cage_proto::message::{Envelope, InfoResponse, Payload, ProgressUpdate};
use cage_proto::schedule::Schedule;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

/// A clock that shows what it is told.
struct Hand(Cell<DateTime<Utc>>);

impl Hand {
    fn at(text: &str) -> Self {
        Self(Cell::new(text.parse().unwrap()))
    }

    fn turn(&self, by: TimeDelta) {
        self.0.set(self.0.get() + by);
    }
}

impl Clock for Hand {
    fn now(&self) -> DateTime<Utc> {
        self.0.get()
    }
}

struct Cage {
    _temp: TempDir,
    dir: CageDir,
}

impl Cage {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Self { dir: CageDir::new(temp.path().join("cage")), _temp: temp }
    }

    fn outbox(&self) -> PathBuf {
        self.dir.mailbox(Mailbox::Outbox)
    }

    fn put(&self, name: &str, content: &str) {
        fs::create_dir_all(self.outbox()).unwrap();
        fs::write(self.outbox().join(name), content).unwrap();
    }

    fn consumer(&self) -> Consumer {
        Consumer::open(&self.dir, Mailbox::Outbox, ConsumerName::of(Mailbox::Outbox)).unwrap()
    }

    fn try_send(&self, draft: &Draft, clock: &impl Clock) -> Result<Published, PublishError> {
        publish(&self.outbox(), draft, clock)
    }

    fn send(&self, status: &str, clock: &impl Clock) -> Published {
        self.try_send(&draft(status), clock).unwrap()
    }

    /// Consumes all there is and says what it was.
    fn consume_all(&self) -> Vec<String> {
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
    fn listing(&self) -> Vec<String> {
        let names = fs::read_dir(self.outbox())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != ".lock" && name != ".last").collect();
        names.sort();
        names
    }
}

fn draft(status: &str) -> Draft {
    Draft { id: System.next_id(), may_be_a_repeat: false, payload: ProgressUpdate::new(status).into() }
}

fn status(payload: &Payload) -> String {
    match payload {
        Payload::ProgressUpdate(update) => update.status.clone(),
        other => other.type_name().to_owned(),
    }
}

fn message(status: &str) -> String {
    format!(
        r#"{{"id":"f","type":"progress_update","timestamp":"2026-01-01T00:00:00.000Z","payload":{{"status":"{status}"}}}}"#
    )
}

/// Follows to the next message and goes on behind it.
fn next_message(follow: &mut Follow) -> (EntryName, Envelope) {
    match follow.next(Duration::from_secs(20), None).unwrap() {
        Item::Message(name, message) => {
            follow.consume(&name).unwrap();
            (name, message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn delivers_in_order_what_was_sent_and_only_once() {
    let cage = Cage::new();
    for index in 0..5 {
        assert_eq!(cage.send(&format!("{index}"), &System).message.seq, Some(index + 1));
    }
    assert_eq!(cage.consume_all(), ["0", "1", "2", "3", "4"]);
    assert!(cage.consume_all().is_empty());
    cage.send("5", &System);
    assert_eq!(cage.consume_all(), ["5"]);
}

#[test]
fn stays_in_order_when_the_clock_stands_still_or_steps_back() {
    let cage = Cage::new();
    let clock = Hand::at("2026-03-26T14:30:00.000123Z");
    let mut names = Vec::new();
    for by in [0, 0, 1, -31_536_000, 0, 40_000_000] {
        clock.turn(TimeDelta::seconds(by));
        names.push(cage.send("x", &clock).name);
    }
    assert!(names.is_sorted(), "{names:?}");
    assert_eq!(names[0].as_str(), "2026-03-26T14-30-00.000123Z.json");
    assert_eq!(cage.consume_all().len(), 6);
}

#[test]
fn sorts_behind_a_foreign_name_in_the_future_however_soon_it_came() {
    let cage = Cage::new();
    for year in 2090..2099 {
        cage.send("ours", &System);
        let foreign = format!("{year}-01-01T00-00-00.000Z.json");
        cage.put(&foreign, &message("foreign"));
        let ours = cage.send("ours", &System).name;
        assert!(ours > foreign.parse().unwrap(), "{ours} sorts before {foreign}");
    }
    assert_eq!(cage.consume_all().len(), 27);
}

#[test]
fn numbers_without_a_gap_across_foreign_messages_and_removed_files() {
    let cage = Cage::new();
    let first = cage.send("a", &System);
    cage.put("2026-01-01T00-00-00.000Z.json", &message("foreign"));
    fs::remove_file(first.path).unwrap();
    assert_eq!(cage.send("b", &System).message.seq, Some(2));
    fs::remove_file(cage.outbox().join(".last")).unwrap();
    assert_eq!(cage.send("c", &System).message.seq, Some(3));
    fs::remove_file(cage.outbox().join(".last")).unwrap();
    cage.put(".last", "rubbish");
    assert_eq!(cage.send("d", &System).message.seq, Some(4));
}

#[test]
fn finishes_what_a_killed_publisher_had_already_linked() {
    let cage = Cage::new();
    let sent = cage.send("a", &System);
    // Killed between link and rename: the newest message is `.next`, and `.last` the one before it.
    fs::rename(cage.outbox().join(".last"), cage.outbox().join(".next")).unwrap();
    let next = cage.send("b", &Hand::at("2020-01-01T00:00:00Z"));
    assert_eq!(next.message.seq, Some(2));
    assert!(next.name > sent.name);
    assert_eq!(cage.listing().len(), 2);
}

#[test]
fn drops_what_a_killed_publisher_had_not_linked() {
    for content in ["", r#"{"id":"#, &message("never sent")] {
        let cage = Cage::new();
        cage.put(".next", content);
        assert_eq!(cage.send("a", &System).message.seq, Some(1));
        assert_eq!(cage.consume_all(), ["a"]);
        assert_eq!(cage.listing().len(), 1);
    }
}

#[test]
fn stores_a_repeated_id_once() {
    let cage = Cage::new();
    let repeat = Draft { may_be_a_repeat: true, ..draft("a") };
    let first = cage.try_send(&repeat, &System).unwrap();
    cage.send("b", &System);
    assert_eq!(cage.try_send(&repeat, &System).unwrap(), first);
    assert_eq!(cage.consume_all(), ["a", "b"]);
}

#[test]
fn refuses_a_name_behind_the_end_of_time() {
    let cage = Cage::new();
    cage.put("9999-12-31T23-59-59.999999Z.json", &message("last"));
    let error = cage.try_send(&draft("x"), &System).unwrap_err();
    assert!(matches!(error, PublishError::NoNameLeft(_)), "{error}");
    assert_eq!(cage.listing().len(), 1);
}

#[test]
fn refuses_a_message_that_no_reader_would_take() {
    let cage = Cage::new();
    let error = cage.try_send(&draft(&"x".repeat(1024 * 1024)), &System).unwrap_err();
    assert!(matches!(error, PublishError::Rejected(_)), "{error}");
    assert!(cage.listing().is_empty());
}

#[test]
fn reports_what_is_no_message_and_delivers_what_is_behind_it() {
    let cage = Cage::new();
    let outbox = cage.outbox();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"a":1,"a":2}"#);
    fs::create_dir(outbox.join("2026-01-01T00-00-02Z.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", outbox.join("2026-01-01T00-00-03Z.json")).unwrap();
    let _socket = UnixListener::bind(outbox.join("2026-01-01T00-00-04Z.json")).unwrap();
    fs::File::create(outbox.join("2026-01-01T00-00-05Z.json")).unwrap().set_len(1 << 40).unwrap();
    cage.put("2026-01-01T00-00-06Z.json", &message("good"));
    let expected = [
        "member `a` is there twice",
        "a folder, not a file",
        "a link, not a file",
        "a socket, not a file",
        "larger than 1048576 bytes",
        "good",
    ];
    assert_eq!(cage.consume_all(), expected);
    assert_eq!(cage.listing().len(), 6, "what is reported stays where it is");
}

#[test]
fn notices_names_that_are_no_time_stamps() {
    let cage = Cage::new();
    cage.put("notes.json", "{}");
    let mut consumer = cage.consumer();
    drop(consumer.begin(Duration::ZERO).unwrap());
    drop(consumer.begin(Duration::ZERO).unwrap());
    assert_eq!(consumer.take_notices(), [Notice::Stray("notes.json".into())]);
}

#[test]
fn gives_the_turn_to_one_of_two_consumers() {
    let cage = Cage::new();
    cage.send("a", &System);
    let (mut one, mut two) = (cage.consumer(), cage.consumer());
    let mut turn = one.begin(Duration::ZERO).unwrap().unwrap();
    assert!(two.begin(Duration::ZERO).unwrap().is_none());
    let Found::Message(name, _) = turn.look().unwrap() else { panic!("one message is there") };
    turn.consume(&name).unwrap();
    drop(turn);
    let mut turn = two.begin(Duration::ZERO).unwrap().unwrap();
    assert!(matches!(turn.look().unwrap(), Found::Nothing));
}

#[test]
fn delivers_again_what_was_passed_but_not_consumed() {
    let cage = Cage::new();
    cage.send("a", &System);
    let mut consumer = cage.consumer();
    let mut turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
    let Found::Message(name, _) = turn.look().unwrap() else { panic!("one message is there") };
    turn.pass(&name);
    assert!(matches!(turn.look().unwrap(), Found::Nothing));
    drop(turn);
    assert_eq!(cage.consume_all(), ["a"]);
}

#[test]
fn delivers_what_a_foreign_writer_published_late() {
    let cage = Cage::new();
    let clock = Hand::at("2026-01-01T00:00:20Z");
    cage.send("old", &clock);
    assert_eq!(cage.consume_all(), ["old"]);
    clock.turn(TimeDelta::seconds(15));
    cage.send("new", &clock);
    assert_eq!(cage.consume_all(), ["new"]);
    cage.put("2026-01-01T00-00-30.000Z.json", &message("late"));
    assert_eq!(cage.consume_all(), ["late"]);
    assert!(cage.consume_all().is_empty());
}

#[test]
fn shares_its_cursor_with_other_tools() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01.000Z.json", &message("a"));
    cage.put("2026-01-01T00-00-02.000Z.json", &message("b"));
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    let cursor = cage.dir.cursors().join("outbox.cursor");
    fs::write(&cursor, "2026-01-01T00:00:01.000Z").unwrap();
    assert_eq!(cage.consume_all(), ["b"]);
    assert_eq!(fs::read_to_string(&cursor).unwrap(), "2026-01-01T00-00-02.000Z.json\n");
    fs::remove_file(&cursor).unwrap();
    assert_eq!(cage.consume_all(), ["a", "b"]);
}

#[test]
fn says_that_a_cursor_is_damaged_and_delivers_from_the_first_message_on() {
    let cage = Cage::new();
    cage.send("a", &System);
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    fs::write(cage.dir.cursors().join("outbox.cursor"), "\u{1b}[2J").unwrap();
    let mut consumer = cage.consumer();
    let mut turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
    assert!(matches!(turn.look().unwrap(), Found::Message(..)));
    assert_eq!(turn.take_notices(), [Notice::DamagedCursor]);
}

#[test]
fn reads_every_fixture_of_the_tool_it_replaces() {
    let fixtures = CageDir::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/trusty-cage-0.13.0"));
    for (mailbox, count) in [(Mailbox::Outbox, 5), (Mailbox::Inbox, 3)] {
        let mut follow = Follow::open(&fixtures.mailbox(mailbox), None, Schedule::default()).unwrap();
        for _ in 0..count {
            let (name, message) = next_message(&mut follow);
            assert!(message.payload.kind().is_some(), "{message:?}");
            assert_eq!(message.timestamp.instant(), name.instant());
        }
        assert!(matches!(follow.next(Duration::ZERO, None).unwrap(), Item::Quiet));
    }
}

#[test]
fn follows_old_messages_new_ones_and_late_ones() {
    let cage = Cage::new();
    let clock = Hand::at("2026-01-01T00:00:20Z");
    let first = cage.send("a", &clock).name;
    cage.send("b", &clock);
    let mut follow = Follow::open(&cage.outbox(), Some(first), Schedule::default()).unwrap();
    let mut next = || status(&next_message(&mut follow).1.payload);
    assert_eq!(next(), "b");
    clock.turn(TimeDelta::seconds(5));
    cage.send("c", &clock);
    assert_eq!(next(), "c");
    cage.put("2026-01-01T00-00-24Z.json", &message("late"));
    assert_eq!(next(), "late");
}

#[test]
fn follows_a_file_that_is_written_slowly_and_keeps_the_order() {
    let cage = Cage::new();
    let whole = message("slow");
    let (front, back) = whole.split_at(40);
    cage.put("2026-01-01T00-00-01Z.json", front);
    cage.put("2026-01-01T00-00-02Z.json", &message("behind"));
    let mut follow = Follow::open(&cage.outbox(), None, Schedule::default()).unwrap();
    assert!(matches!(follow.next(Duration::ZERO, None).unwrap(), Item::Quiet));
    fs::write(cage.outbox().join("2026-01-01T00-00-01Z.json"), format!("{front}{back}")).unwrap();
    for expected in ["slow", "behind"] {
        assert_eq!(status(&next_message(&mut follow).1.payload), expected);
    }
}

#[test]
fn gives_up_a_file_that_nobody_finishes() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"id":"#);
    let mut follow = Follow::open(&cage.outbox(), None, Schedule::default()).unwrap();
    let item = follow.next(Duration::from_secs(20), None).unwrap();
    assert!(
        matches!(&item, Item::Malformed(_, fault) if fault.to_string() == "the JSON ends in the middle"),
        "{item:?}"
    );
}

#[test]
fn names_at_one_microsecond_are_never_shared() {
    let cage = Cage::new();
    let clock = Hand::at("2026-01-01T00:00:00Z");
    let names: Vec<EntryName> = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..4)
            .map(|_| {
                let outbox = cage.outbox();
                let now = clock.now();
                scope.spawn(move || {
                    let clock = Hand(Cell::new(now));
                    (0..25).map(|_| publish(&outbox, &draft("x"), &clock).unwrap().name).collect::<Vec<_>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), 100);
    assert_eq!(cage.consume_all().len(), 100);
}

#[test]
fn follows_from_a_cursor_that_nobody_else_may_move_meanwhile() {
    let cage = Cage::new();
    cage.send("a", &System);
    cage.send("b", &System);
    let follow = |patience| Follow::from_cursor(cage.consumer(), patience, Schedule::default()).unwrap();
    let mut first = follow(Duration::ZERO).unwrap();
    assert_eq!(status(&next_message(&mut first).1.payload), "a");
    assert!(follow(Duration::ZERO).is_none());
    drop(first);
    assert_eq!(cage.consume_all(), ["b"]);
}

#[test]
fn takes_an_answer_ahead_of_its_turn() {
    let cage = Cage::new();
    let payloads: [Payload; 3] = [
        ProgressUpdate::new("first").into(),
        InfoResponse::to("r-1").into(),
        ProgressUpdate::new("last").into(),
    ];
    for payload in payloads {
        cage.try_send(&Draft { payload, ..draft("") }, &System).unwrap();
    }
    let consumer = ConsumerName::of(Mailbox::Outbox);
    let mut waiter = Waiter::open(&cage.dir, Mailbox::Outbox, consumer, Schedule::default()).unwrap();
    let mut wait = || waiter.wait(Wanted::ReplyTo("r-1"), Duration::ZERO, None, &mut |_| Ok(())).unwrap();
    assert_eq!(wait(), Waited::Delivered);
    assert_eq!(wait(), Waited::TimedOut);
    assert_eq!(cage.consume_all(), ["first", "last"]);
}
