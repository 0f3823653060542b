//! The next message, and what happens when none comes.

use std::time::{Duration, Instant};

use cage_proto::mailbox::{Consumer, ConsumerName, Found, Mailbox};
use serde_json::{Value, json};

use crate::cage::Cage;

#[test]
fn prints_the_next_message_and_moves_the_cursor_to_it() {
    let cage = Cage::new();
    for text in ["a", "b"] {
        let name = cage.revise(text);
        let ran = cage.poll(&["--timeout", "0"]).exits_with(0);
        assert_eq!(ran.instructions(), [text]);
        assert_eq!(cage.cursor("inbox"), Some(format!("{name}\n")));
        let stderr = ran.stderr().replace(name.as_str(), "NAME");
        insta::allow_duplicates! {
        insta::assert_snapshot!(stderr, @r"
        POLL_START timeout=0 schedule=10:900,30:3600,60:7200
        POLL_FOUND NAME
        ");
        }
    }
}

#[test]
fn prints_a_message_as_its_file_holds_it() {
    let cage = Cage::new();
    let name = cage.revise("a");
    let file = std::fs::read_to_string(cage.inbox().join(name.as_str())).unwrap();
    assert_eq!(cage.poll(&["--timeout", "0"]).stdout(), file);
}

#[test]
fn wakes_at_once_when_a_message_comes() {
    let cage = Cage::new();
    // By the schedule alone it would look again after a minute.
    let waiting = cage.start_waiting(&["--schedule", "60:7200"]);
    let begun = Instant::now();
    cage.revise("a");
    assert_eq!(waiting.finish().exits_with(0).instructions(), ["a"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn says_on_both_sides_that_the_time_is_up() {
    let cage = Cage::new();
    let ran = cage.poll(&["--timeout", "1"]).exits_with(1);
    assert_eq!(ran.stdout(), "POLL_TIMEOUT\n");
    insta::assert_snapshot!(ran.stderr(), @r"
    POLL_START timeout=1 schedule=10:900,30:3600,60:7200
    POLL_TIMEOUT waited=1
    ");
    let idle = outbox(&cage);
    assert_eq!(idle.len(), 1);
    assert_eq!(idle[0]["reason"], "No task_revision received within polling timeout");
    assert!((1.0..20.0).contains(&idle[0]["waited_seconds"].as_f64().unwrap()), "{idle:?}");
    assert_eq!(cage.cursor("inbox"), None);
}

#[test]
fn sends_no_going_idle_where_the_host_expects_none() {
    for args in [
        &["--no-going-idle"][..],
        &["--mailbox", "outbox"],
        &["--reply-to", "r"],
        &["--since", "beginning"],
        &["--all"],
    ] {
        let cage = Cage::new();
        cage.poll(&[&["--timeout", "0"], args].concat());
        assert_eq!(outbox(&cage), [json!(null); 0], "{args:?}");
    }
}

/// The payloads in the outbox.
fn outbox(cage: &Cage) -> Vec<Value> {
    let mut consumer = Consumer::open(&cage.dir, Mailbox::Outbox, ConsumerName::of(Mailbox::Outbox)).unwrap();
    let mut turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
    let mut payloads = Vec::new();
    while let Found::Message(name, message) = turn.look().unwrap() {
        payloads.push(json!(message.payload));
        turn.consume(&name).unwrap();
    }
    payloads
}

#[test]
fn gives_a_message_to_one_of_two_waiters_and_the_next_to_the_other() {
    let cage = Cage::new();
    let args = ["--schedule", "60:7200"];
    let waiters = [cage.start_waiting(&args), cage.start_waiting(&args)];
    cage.revise("a");
    cage.revise("b");
    let mut got: Vec<_> =
        waiters.into_iter().flat_map(|waiter| waiter.finish().exits_with(0).instructions()).collect();
    got.sort();
    assert_eq!(got, ["a", "b"]);
}

#[test]
fn looks_at_the_time_out_even_while_another_program_has_the_turn() {
    let cage = Cage::new();
    cage.revise("a");
    let name = ConsumerName::of(Mailbox::Inbox);
    let mut other = Consumer::open(&cage.dir, Mailbox::Inbox, name).unwrap();
    let _turn = other.begin(Duration::ZERO).unwrap().unwrap();
    cage.poll(&["--timeout", "1", "--no-going-idle"]).exits_with(1);
    assert_eq!(cage.cursor("inbox"), None);
}
