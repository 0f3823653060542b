//! What is no message: reported by a harmless name, and the good message behind it is delivered.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use crate::cage::{Cage, message};

#[test]
fn reports_each_file_that_is_no_message_and_prints_the_good_one_behind() {
    let cage = Cage::new();
    let inbox = cage.inbox();
    let name = |second: u32| format!("2026-01-01T00-00-{second:02}Z.json");
    cage.put(&name(1), r#"{"a":1,"a":2}"#);
    cage.put(&name(2), format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)));
    cage.put(&name(3), b"{\"id\":\"\xff\"}");
    cage.put(
        &name(4),
        r#"{"id":"x","type":"ack","timestamp":"2026-01-01T00:00:00Z","payload":{},"version":2}"#,
    );
    cage.put(&name(5), r#"{"id":"x","type":"ack","timestamp":"2026-01-01T00:00:00Z","payload":{"acked_id":"\u001b[2J"},"seq":"\u009b31m"}"#);
    cage.put(&name(6), format!("{{\"{0}\":1,\"{0}\":2}}", "\u{9b}".to_owned() + &"x".repeat(100_000)));
    assert!(Command::new("mkfifo").arg(inbox.join(name(7))).status().unwrap().success());
    let _socket = UnixListener::bind(inbox.join(name(8))).unwrap();
    fs::create_dir(inbox.join(name(9))).unwrap();
    symlink("/etc/passwd", inbox.join(name(10))).unwrap();
    symlink("/dev/zero", inbox.join(name(11))).unwrap();
    fs::File::create(inbox.join(name(12))).unwrap().set_len(1 << 40).unwrap();
    cage.put(&name(13), message(&"x".repeat(1 << 20)));
    fs::write(inbox.join(OsStr::from_bytes(b"\x1b]0;x\x07\n\xff.json")), "{}").unwrap();
    cage.put(&name(40), message("good"));
    let ran = cage.poll(&["--timeout", "0"]).exits_with(0);
    assert_eq!(ran.instructions(), ["good"]);
    insta::assert_snapshot!(ran.stderr(), @r#"
        POLL_START timeout=0 schedule=10:900,30:3600,60:7200
        POLL_MALFORMED \u{1b}]0;x\u{7}\n�.json: a file is no message: the name is no time stamp
        POLL_MALFORMED 2026-01-01T00-00-01Z.json: member `a` is there twice
        POLL_MALFORMED 2026-01-01T00-00-02Z.json: nested more than 32 levels deep
        POLL_MALFORMED 2026-01-01T00-00-03Z.json: not UTF-8 from byte 7 on
        POLL_MALFORMED 2026-01-01T00-00-04Z.json: protocol version 2 is not supported, only version 1
        POLL_MALFORMED 2026-01-01T00-00-05Z.json: member `seq` must be a whole number from 1, found the string "\u{9b}31m"
        POLL_MALFORMED 2026-01-01T00-00-06Z.json: member `\u{9b}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is there twice
        POLL_MALFORMED 2026-01-01T00-00-07Z.json: a FIFO, not a file
        POLL_MALFORMED 2026-01-01T00-00-08Z.json: a socket, not a file
        POLL_MALFORMED 2026-01-01T00-00-09Z.json: a folder, not a file
        POLL_MALFORMED 2026-01-01T00-00-10Z.json: a link, not a file
        POLL_MALFORMED 2026-01-01T00-00-11Z.json: a link, not a file
        POLL_MALFORMED 2026-01-01T00-00-12Z.json: larger than 1048576 bytes
        POLL_MALFORMED 2026-01-01T00-00-13Z.json: larger than 1048576 bytes
        POLL_FOUND 2026-01-01T00-00-40Z.json
        "#);
    assert_eq!(fs::read_dir(&inbox).unwrap().count(), 15, "what is reported stays where it is");
}

#[test]
fn reports_a_few_strays_by_name_and_counts_the_others() {
    let cage = Cage::new();
    for index in 0..1_000 {
        cage.put(&format!("note-{index}.json"), "{}");
    }
    cage.revise("good");
    let ran = cage.poll(&["--timeout", "0"]).exits_with(0);
    assert_eq!(ran.instructions(), ["good"]);
    let named = ran.stderr().lines().filter(|line| line.starts_with("POLL_MALFORMED note-")).count();
    assert_eq!(named, 16, "{ran}");
    assert!(ran.stderr().contains("POLL_NOTICE 984 more files have names that are no time stamps"), "{ran}");
}

#[test]
fn says_that_a_file_holds_up_the_messages_behind_it() {
    let cage = Cage::new();
    cage.put("2026-01-01T00-00-01Z.json", r#"{"id":"#);
    cage.put("2026-01-01T00-00-02Z.json", message("behind"));
    for args in [&["--all"][..], &["--timeout", "0", "--no-going-idle"]] {
        let ran = cage.poll(args);
        assert!(ran.stderr().contains("2026-01-01T00-00-01Z.json is not finished yet"), "{ran}");
    }
    let ran = cage.poll(&["--timeout", "20"]).exits_with(0);
    assert_eq!(ran.instructions(), ["behind"]);
    assert!(
        ran.stderr().contains("POLL_MALFORMED 2026-01-01T00-00-01Z.json: the JSON ends in the middle"),
        "{ran}"
    );
}
