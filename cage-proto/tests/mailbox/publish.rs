//! Sending: names, numbers, crashes.

use std::cell::Cell;
use std::fs;

use cage_proto::env::{Clock, System};
use cage_proto::mailbox::{Draft, EntryName, PublishError, publish};
use cage_proto::message::ProgressUpdate;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::cage::{Cage, Hand, draft, message};

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

/// Does what a publisher leaves that is killed when its message has its name: `.last` is the one before it, or none.
fn kill_after_publishing(cage: &Cage) {
    fs::rename(cage.outbox().join(".last"), cage.outbox().join(".last.new")).unwrap();
}

#[test]
fn goes_on_behind_a_message_whose_publisher_was_killed() {
    let cage = Cage::new();
    let sent = cage.send("a", &System);
    kill_after_publishing(&cage);
    let next = cage.send("b", &Hand::at("2020-01-01T00:00:00Z"));
    assert_eq!(next.message.seq, Some(2));
    assert!(next.name > sent.name);
    assert_eq!(cage.listing().len(), 2);
}

#[test]
fn goes_on_behind_a_message_that_was_consumed_and_removed_when_its_publisher_was_killed() {
    let cage = Cage::new();
    let sent = cage.send("a", &System);
    kill_after_publishing(&cage);
    assert_eq!(cage.consume_all(), ["a"]);
    fs::remove_file(sent.path).unwrap();
    let next = cage.send("b", &Hand::at("2020-01-01T00:00:00Z"));
    assert_eq!(next.message.seq, Some(2));
    assert_eq!(cage.consume_all(), ["b"], "not hidden behind the cursor");
}

#[test]
fn finishes_what_was_published_where_a_rename_cannot_refuse_to_replace() {
    let cage = Cage::new();
    let sent = cage.send("a", &System);
    kill_after_publishing(&cage);
    fs::hard_link(&sent.path, cage.outbox().join(".next")).unwrap();
    assert_eq!(cage.send("b", &System).message.seq, Some(2));
    assert_eq!(cage.consume_all(), ["a", "b"]);
    assert_eq!(cage.listing().len(), 2);
}

#[test]
fn drops_what_a_killed_publisher_had_not_published() {
    for content in ["", r#"{"id":"#, &message("never sent")] {
        let cage = Cage::new();
        cage.put(".next", content);
        fs::hard_link(cage.outbox().join(".next"), cage.outbox().join(".last.new")).unwrap();
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

/// A clock during whose look a foreign writer publishes a message.
struct Intruder<'a>(&'a Cage, &'static str);

impl Clock for Intruder<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.0.put(self.1, &message("foreign"));
        System.now()
    }
}

#[test]
fn sorts_behind_a_foreign_name_in_the_future_that_appears_during_a_publish() {
    let cage = Cage::new();
    cage.send("first", &System);
    let foreign = "2099-01-01T00-00-00.000Z.json";
    let during = cage.send("during", &Intruder(&cage, foreign)).name;
    let after = cage.send("after", &System).name;
    assert!(during > foreign.parse().unwrap(), "{during} sorts before {foreign}");
    assert!(after > during, "{after} sorts before {during}");
}

#[test]
fn numbers_on_when_nothing_comes_behind_a_foreign_number() {
    let cage = Cage::new();
    let highest = message("foreign").replacen('{', r#"{"seq":18446744073709551615,"#, 1);
    cage.put("2026-01-01T00-00-00Z.json", &highest);
    assert_eq!(cage.send("a", &System).message.seq, Some(1));
    fs::remove_file(cage.outbox().join(".last")).unwrap();
    cage.put(".last", &highest);
    assert_eq!(cage.send("b", &System).message.seq, Some(2));
}

#[test]
fn refuses_a_message_that_its_envelope_makes_too_deep() {
    let cage = Cage::new();
    // 31 levels fit into a payload, which is the second level of its message.
    for (levels, fits) in [(30, true), (31, false)] {
        let mut update = ProgressUpdate::new("x");
        update.extra.insert("deep".to_owned(), (0..levels).fold(Value::Null, |inner, _| json!([inner])));
        let sent = cage.try_send(&Draft { payload: update.into(), ..draft("") }, &System);
        assert_eq!(sent.is_ok(), fits, "{levels} levels: {sent:?}");
    }
    assert_eq!(cage.consume_all(), ["x"]);
}
