//! Following without end.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cage_proto::env::System;
use cage_proto::limits::SCAN_BATCH_NAMES;
use cage_proto::mailbox::{CageDir, Follow, Item, Mailbox};
use cage_proto::schedule::Schedule;
use chrono::TimeDelta;

use crate::cage::{Cage, Hand, message, next_item, next_message, status};

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
    assert!(matches!(next_item(&mut follow, Duration::ZERO), Item::Quiet));
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
    let item = next_item(&mut follow, Duration::from_secs(20));
    assert!(
        matches!(&item, Item::Malformed(_, fault) if fault.to_string() == "the JSON ends in the middle"),
        "{item:?}"
    );
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
fn goes_on_reporting_a_file_that_nobody_finished_until_it_is_consumed() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"id":"#);
    let mut follow = Follow::open(&cage.outbox(), None, Schedule::default()).unwrap();
    for _ in 0..3 {
        let item = next_item(&mut follow, Duration::from_secs(20));
        assert!(matches!(&item, Item::Malformed(..)), "{item:?}");
    }
}

#[test]
fn delivers_more_than_there_is_room_for_while_a_file_is_unfinished() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-00Z.json", r#"{"id":"#);
    let mut follow = Follow::open(&cage.outbox(), None, Schedule::default()).unwrap();
    let files = SCAN_BATCH_NAMES + 100;
    for index in 0..files {
        cage.put(&format!("2026-01-01T00-00-01.{index:06}Z.json"), &message(&index.to_string()));
        if index % 100 == 0 {
            assert!(matches!(next_item(&mut follow, Duration::ZERO), Item::Quiet));
        }
    }
    fs::remove_file(cage.outbox().join("2026-01-01T00-00-00Z.json")).unwrap();
    for index in 0..files {
        assert_eq!(status(&next_message(&mut follow).1.payload), index.to_string());
    }
}

#[test]
fn says_that_the_folder_it_follows_is_another_one() {
    for replace in [fs::remove_dir_all, |old: PathBuf| fs::rename(&old, old.with_extension("old"))] {
        let cage = Cage::new();
        let every_second = "1:60".parse().unwrap();
        let mut follow = Follow::open(&cage.outbox(), None, every_second).unwrap();
        assert!(matches!(next_item(&mut follow, Duration::ZERO), Item::Quiet));
        replace(cage.outbox()).unwrap();
        cage.send("nobody sees this", &System);
        let error = follow.next(Duration::from_secs(5), None).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
    }
}

#[test]
fn a_time_out_is_kept_while_hidden_files_appear_without_end() {
    let cage = Cage::new();
    let mut follow = Follow::open(&cage.outbox(), None, Schedule::default()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                cage.put(".hidden", "");
            }
        });
        let begun = Instant::now();
        assert!(matches!(follow.next(Duration::from_millis(200), None).unwrap(), Item::Quiet));
        done.store(true, Ordering::Relaxed);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
}
