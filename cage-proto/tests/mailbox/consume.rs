//! Reading with a cursor.

use std::fs;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use cage_proto::env::System;
use cage_proto::limits::PARTIAL_FILE_GRACE;
use cage_proto::mailbox::{ConsumerName, Draft, Found, Mailbox, Notice, Waited, Waiter, Wanted};
use cage_proto::message::{InfoResponse, Payload, ProgressUpdate};
use cage_proto::schedule::Schedule;
use chrono::TimeDelta;

use crate::cage::{Cage, Hand, draft, message};

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

#[test]
fn delivers_again_what_lies_behind_a_cursor_that_somebody_moved_back() {
    let cage = Cage::new();
    for second in 1..=3 {
        cage.put(&format!("2026-01-01T00-00-0{second}Z.json"), &message(&second.to_string()));
    }
    assert_eq!(cage.consume_all(), ["1", "2", "3"]);
    let cursor = cage.dir.cursors().join("outbox.cursor");
    for (back_to, expected) in [("2", vec!["3"]), ("1", vec!["2", "3"])] {
        fs::write(&cursor, format!("2026-01-01T00-00-0{back_to}Z.json")).unwrap();
        assert_eq!(cage.consume_all(), expected);
    }
}

#[test]
fn delivers_what_is_behind_many_files_that_nobody_finishes() {
    let cage = Cage::new();
    for second in 10..40 {
        cage.put(&format!("2026-01-01T00-00-{second}Z.json"), r#"{"id":"#);
    }
    cage.put("2026-01-01T00-00-40Z.json", &message("behind"));
    let mut waiter =
        Waiter::open(&cage.dir, Mailbox::Outbox, ConsumerName::of(Mailbox::Outbox), Schedule::default())
            .unwrap();
    // Many times less than the files would take one after the other.
    let end = waiter.wait(Wanted::Next, PARTIAL_FILE_GRACE * 4, None, &mut |_| Ok(())).unwrap();
    assert_eq!(end, Waited::Delivered);
}

#[test]
fn a_new_reader_does_not_begin_to_wait_for_an_old_file() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"id":"#);
    cage.put("2026-01-01T00-00-02Z.json", &message("behind"));
    // Each program has its own reader, and none of them waits as long as an unfinished file is given.
    let patience = PARTIAL_FILE_GRACE / 4;
    let look = || {
        let name = ConsumerName::of(Mailbox::Outbox);
        let mut waiter = Waiter::open(&cage.dir, Mailbox::Outbox, name, Schedule::default()).unwrap();
        waiter.wait(Wanted::Next, patience, None, &mut |_| Ok(())).unwrap()
    };
    assert!((0..8).any(|_| look() == Waited::Delivered));
}

#[test]
fn says_that_a_cursor_is_damaged_that_is_no_small_file() {
    for damage in ["too large", "a folder"] {
        let cage = Cage::new();
        fs::create_dir_all(cage.dir.cursors()).unwrap();
        let cursor = cage.dir.cursors().join("outbox.cursor");
        match damage {
            "a folder" => fs::create_dir(cursor).unwrap(),
            _ => fs::write(cursor, "x".repeat(10_000)).unwrap(),
        }
        let mut consumer = cage.consumer();
        drop(consumer.begin(Duration::ZERO).unwrap());
        assert_eq!(consumer.take_notices(), [Notice::DamagedCursor], "{damage}");
    }
}
