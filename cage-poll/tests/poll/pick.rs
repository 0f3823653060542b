//! Which messages are printed, and whose cursor moves.

use cage_proto::mailbox::Mailbox;
use cage_proto::message::{InfoResponse, ProgressUpdate};

use crate::cage::Cage;

const NOW: [&str; 2] = ["--timeout", "0"];

#[test]
fn prints_all_that_is_pending_one_line_each() {
    let cage = Cage::new();
    for text in ["a", "b\\nc"] {
        cage.revise(text);
    }
    let last = cage.revise("d");
    let ran = cage.poll(&["--all"]).exits_with(0);
    assert_eq!(ran.instructions(), ["a", "b\\nc", "d"]);
    assert_eq!(ran.stdout().lines().count(), 3);
    assert_eq!(ran.stderr(), "");
    assert_eq!(cage.cursor("inbox"), Some(format!("{last}\n")));
    assert_eq!(cage.poll(&["--all"]).exits_with(0).stdout(), "");
}

#[test]
fn peeks_without_moving_the_cursor() {
    let cage = Cage::new();
    cage.revise("a");
    cage.revise("b");
    for _ in 0..2 {
        assert_eq!(cage.poll(&["--timeout", "0", "--peek"]).exits_with(0).instructions(), ["a"]);
        assert_eq!(cage.poll(&["--all", "--peek"]).exits_with(0).instructions(), ["a", "b"]);
    }
    assert_eq!(cage.cursor("inbox"), None);
}

#[test]
fn starts_behind_a_name_and_leaves_the_cursor_alone() {
    let cage = Cage::new();
    let first = cage.revise("a");
    cage.revise("b");
    cage.revise("c");
    let stamp = first.as_str().trim_end_matches(".json");
    for since in [first.as_str(), stamp] {
        assert_eq!(cage.poll(&["--all", "--since", since]).exits_with(0).instructions(), ["b", "c"]);
        assert_eq!(cage.poll(&["--timeout", "0", "--since", since]).exits_with(0).instructions(), ["b"]);
    }
    assert_eq!(cage.poll(&["--all", "--since", "beginning"]).exits_with(0).instructions(), ["a", "b", "c"]);
    assert!(!cage.dir.cursors().exists());
}

#[test]
fn keeps_a_cursor_for_each_consumer() {
    let cage = Cage::new();
    cage.revise("a");
    for consumer in ["one", "two"] {
        let args = [&NOW[..], &["--consumer", consumer]].concat();
        assert_eq!(cage.poll(&args).exits_with(0).instructions(), ["a"], "{consumer}");
        assert!(cage.cursor(consumer).is_some());
    }
    assert_eq!(cage.cursor("inbox"), None);
}

#[test]
fn reads_the_other_mailbox_with_its_own_cursor() {
    let cage = Cage::new();
    cage.publish(Mailbox::Outbox, ProgressUpdate::new("x").into());
    let ran = cage.poll(&["--mailbox", "outbox", "--all"]).exits_with(0);
    assert!(ran.stdout().contains(r#""status":"x""#), "{ran}");
    assert!(cage.cursor("outbox").is_some() && cage.cursor("inbox").is_none());
}

#[test]
fn rejects_a_consumer_of_the_other_mailbox() {
    for (consumer, reads, other) in
        [("me", "inbox", "outbox"), ("you", "outbox", "inbox"), ("inbox", "inbox", "outbox")]
    {
        let cage = Cage::new();
        cage.revise("a");
        cage.publish(Mailbox::Outbox, ProgressUpdate::new("x").into());
        let all = |mailbox| cage.poll(&["--all", "--consumer", consumer, "--mailbox", mailbox]);
        all(reads).exits_with(0);
        let ran = all(other).exits_with(74);
        let reason = format!("the consumer `{consumer}` reads the {reads}; take another name");
        assert!(ran.stderr().contains(&reason) && ran.stdout().is_empty(), "{ran}");
        assert!(all(reads).exits_with(0).stdout().is_empty(), "what was consumed stays so");
    }
}

#[test]
fn takes_an_answer_ahead_and_leaves_the_others_for_their_turn() {
    let cage = Cage::new();
    cage.revise("a");
    cage.publish(Mailbox::Inbox, InfoResponse::to("other").into());
    cage.publish(Mailbox::Inbox, InfoResponse::to("r-1").into());
    cage.revise("b");
    let ask = ["--timeout", "0", "--reply-to", "r-1"];
    assert!(cage.poll(&ask).exits_with(0).stdout().contains("r-1"));
    cage.poll(&ask).exits_with(1);
    let rest = cage.poll(&["--all"]).exits_with(0);
    assert_eq!(rest.stdout().lines().count(), 3, "{rest}");
    assert!(!rest.stdout().contains("r-1"), "{rest}");
}
