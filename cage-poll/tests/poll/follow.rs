//! Every message, for as long as someone listens.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout};

use cage_proto::limits::MESSAGE_BYTES_MAX;
use serde_json::Value;

use crate::cage::{Cage, Ran, instructions_of, message};

/// A follower, killed when the test is over.
struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    fn start(cage: &Cage, args: &[&str]) -> Self {
        let mut child = cage.command(&[&["--follow"], args].concat()).spawn().unwrap();
        Self { lines: BufReader::new(child.stdout.take().unwrap()).lines(), child }
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn prints_old_and_new_messages_with_their_names() {
    let cage = Cage::new();
    let old = cage.revise("old");
    let mut follower = Follower::start(&cage, &[]);
    for (name, text) in [(old, "old"), (cage.revise("new"), "new"), (cage.revise("newer"), "newer")] {
        let line = follower.next();
        assert_eq!(line["name"], name.as_str());
        assert_eq!(instructions_of(&line["message"]), text);
    }
}

#[test]
fn moves_the_cursor_behind_what_it_printed() {
    let cage = Cage::new();
    let first = cage.revise("a");
    let mut follower = Follower::start(&cage, &["--heartbeat", "1"]);
    follower.next();
    // The heartbeat comes after the cursor has moved.
    assert!(follower.next()["heartbeat"].is_string());
    assert_eq!(cage.cursor("inbox"), Some(format!("{first}\n")));
    drop(follower);
    cage.revise("b");
    assert_eq!(cage.poll(&["--all"]).instructions(), ["b"]);
}

#[test]
fn starts_behind_a_name_and_leaves_no_trace() {
    let cage = Cage::new();
    let first = cage.revise("a");
    cage.revise("b");
    let mut follower = Follower::start(&cage, &["--since", first.as_str()]);
    assert_eq!(instructions_of(&follower.next()["message"]), "b");
    assert!(!cage.dir.cursors().exists());
}

#[test]
fn reports_what_is_no_message_and_goes_on() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"a":1,"a":2}"#);
    cage.put("\u{1b}[2J\n.json", "{}");
    cage.put("2026-01-01T00-00-02Z.json", message("behind"));
    let mut follower = Follower::start(&cage, &["--since", "beginning"]);
    let lines: Vec<_> = (0..3).map(|_| follower.next().to_string()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        {"malformed":"the name is no time stamp","name":"\\u{1b}[2J\\n.json"}
        {"malformed":"member `a` is there twice","name":"2026-01-01T00-00-01Z.json"}
        {"message":{"id":"f","payload":{"instructions":"behind"},"timestamp":"2026-01-01T00:00:00.000Z","type":"task_revision","version":1},"name":"2026-01-01T00-00-02Z.json"}
        "#);
}

#[test]
fn says_what_is_too_large_and_what_is_held_up_in_a_form_for_programs() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", " ".repeat(MESSAGE_BYTES_MAX + 1));
    cage.put("2026-01-01T00-00-02Z.json", r#"{"id":"#);
    let mut follower = Follower::start(&cage, &["--since", "beginning"]);
    let lines: Vec<_> = (0..2).map(|_| follower.next().to_string()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
        {"malformed":"larger than 1048576 bytes","name":"2026-01-01T00-00-01Z.json","oversize":true}
        {"name":"2026-01-01T00-00-02Z.json","notice":"held_up","text":"2026-01-01T00-00-02Z.json is not finished yet; messages behind it wait until it is, or until nobody goes on with it"}
        "#);
}

#[test]
fn beats_while_nothing_comes() {
    let cage = Cage::new();
    let mut follower = Follower::start(&cage, &["--heartbeat", "1"]);
    for _ in 0..2 {
        let beat = follower.next();
        let time = beat["heartbeat"].as_str().unwrap();
        assert!(time.ends_with('Z') && time.len() == "2026-03-26T14:30:00.000123Z".len(), "{beat}");
    }
}

#[test]
fn a_second_follower_of_one_cursor_is_told_so() {
    let cage = Cage::new();
    cage.revise("a");
    let mut first = Follower::start(&cage, &[]);
    first.next();
    // At once, since each of them waits for half a minute.
    let others = [["--follow"], ["--all"]].map(|args| cage.command(&args).spawn().unwrap());
    let [second, all] = others.map(|other| Ran(other.wait_with_output().unwrap()).exits_with(74));
    insta::assert_snapshot!(second.stderr(), @r"cage-poll: another program has been reading with this cursor for 30 s; use --consumer NAME for a cursor of your own");
    assert_eq!(all.stderr(), second.stderr());
}

#[test]
fn ends_when_nobody_reads_it_any_more() {
    let cage = Cage::new();
    cage.revise("a");
    let ran = cage.shell(r#""$0" --follow | head -n 1"#).exits_with(0);
    assert!(ran.stdout().contains(r#""instructions":"a""#), "{ran}");
}
