//! `info_request --wait`: blocks for the matching answer and prints it.

use std::time::Duration;

use cage_proto::mailbox::{Consumer, ConsumerName, Follow, Found, Item, Mailbox};
use cage_proto::schedule::Schedule;
use serde_json::Value;

use crate::cage::{Cage, Ran, finish};

const ASK: [&str; 6] = ["info_request", "--request-id", "r-1", "--description", "d", "--wait"];

/// Returns once a message is in the outbox.
fn wait_for_the_question(cage: &Cage) {
    let mut outbox = Follow::open(&cage.dir.mailbox(Mailbox::Outbox), None, Schedule::default()).unwrap();
    let item = outbox.next(Duration::from_secs(20), None).unwrap();
    assert!(matches!(item, Item::Message(..)), "{item:?}");
}

fn answer(cage: &Cage, request: &str, content: &str) {
    let answer = ["info_response", "--mailbox", "inbox", "--request-id", request, "--content", content];
    cage.send(&answer).exits_with(0);
}

fn printed(ran: &Ran) -> Value {
    serde_json::from_str(ran.stdout()).unwrap()
}

#[test]
fn waits_for_the_answer_to_its_own_question_and_prints_only_that() {
    let cage = Cage::new();
    let asker = cage.command(&ASK).spawn().unwrap();
    wait_for_the_question(&cage);
    cage.send(&["task_revision", "--mailbox", "inbox", "--instructions", "first"]).exits_with(0);
    answer(&cage, "r-2", "another");
    answer(&cage, "r-1", "two spaces");
    let ran = finish(asker).exits_with(0);
    assert_eq!(printed(&ran)["payload"]["content"], "two spaces");
    assert!(ran.stderr().starts_with("Sent info_request -> "), "{ran}");
    assert_eq!(left_in_the_inbox(&cage), ["task_revision", "info_response"]);
}

/// The types of what a reader of the inbox still gets.
fn left_in_the_inbox(cage: &Cage) -> Vec<String> {
    let mut consumer = Consumer::open(&cage.dir, Mailbox::Inbox, ConsumerName::of(Mailbox::Inbox)).unwrap();
    let mut turn = consumer.begin(Duration::ZERO).unwrap().unwrap();
    let mut types = Vec::new();
    while let Found::Message(name, message) = turn.look().unwrap() {
        types.push(message.payload.type_name().to_owned());
        turn.consume(&name).unwrap();
    }
    types
}

#[test]
fn finds_an_answer_that_is_there_already() {
    let cage = Cage::new();
    answer(&cage, "r-1", "early");
    let ran = cage.send(&ASK).exits_with(0);
    assert_eq!(printed(&ran)["payload"]["content"], "early");
}

#[test]
fn asks_once_when_it_is_repeated() {
    let cage = Cage::new();
    for _ in 0..2 {
        cage.send(&[&ASK[..], &["0", "--id", "q"]].concat()).exits_with(1);
    }
    assert_eq!(cage.messages(Mailbox::Outbox).len(), 1);
    answer(&cage, "r-1", "late");
    let ran = cage.send(&[&ASK[..], &["0", "--id", "q"]].concat()).exits_with(0);
    assert_eq!(printed(&ran)["payload"]["content"], "late");
}

#[test]
fn says_that_no_answer_came_in_time() {
    let cage = Cage::new();
    let ran = cage.send(&[&ASK[..], &["1"]].concat()).exits_with(1);
    assert_eq!(ran.stdout(), "");
    let last = ran.stderr().lines().last().unwrap();
    insta::assert_snapshot!(
        last,
        @r"cage-send: no answer to r-1 within 1 s; it stays in the inbox when it comes"
    );
}
