//! Outputs that nobody reads, signals, and what cannot be done: the cursor stays where it was.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use crate::cage::{Cage, PROGRAM, Ran};

/// Number of SIGTERM.
const SIGTERM: i32 = 15;

/// Asserts that the only message is still there for the next reader.
fn still_pending(cage: &Cage, why: &str) {
    assert_eq!(cage.cursor("inbox"), None, "{why}");
    assert_eq!(cage.poll(&["--all"]).exits_with(0).instructions(), ["a"], "{why}");
}

#[test]
fn keeps_a_message_that_could_not_be_printed() {
    for output in [">&-", ">/dev/full", "1</dev/null", "1<>/dev/null"] {
        for mode in ["--timeout 0", "--all", "--since beginning"] {
            let cage = Cage::new();
            cage.revise("a");
            let ran = cage.shell(&format!(r#""$0" {mode} {output}"#)).exits_with(74);
            assert!(ran.stderr().contains("could not write the output"), "{mode} {output}: {ran}");
            still_pending(&cage, output);
        }
    }
}

#[test]
fn a_follower_keeps_a_message_that_could_not_be_printed() {
    for (output, code) in [(">&-", 0), (">/dev/full", 74)] {
        let cage = Cage::new();
        cage.revise("a");
        cage.shell(&format!(r#""$0" --follow {output}"#)).exits_with(code);
        still_pending(&cage, output);
    }
}

#[test]
fn prints_its_message_although_nobody_reads_its_remarks() {
    for output in ["2>&-", "2>/dev/full"] {
        let cage = Cage::new();
        cage.put("notes.json", "");
        cage.revise("a");
        let ran = cage.shell(&format!(r#""$0" --timeout 0 {output}"#)).exits_with(0);
        assert_eq!(ran.instructions(), ["a"], "{output}");
        cage.shell(&format!(r#""$0" --timeout 0 --dir /dev/null/x {output}"#)).exits_with(74);
    }
}

#[test]
fn ends_when_its_reader_goes_away_and_keeps_what_comes_then() {
    let cage = Cage::new();
    let mut waiting = cage.start_waiting(&["--schedule", "60:7200"]);
    drop(waiting.child.stdout.take());
    waiting.finish().exits_with(74);
    cage.revise("a");
    still_pending(&cage, "closed pipe");
}

#[test]
fn ends_by_sigterm_and_keeps_what_comes_then() {
    let cage = Cage::new();
    let waiting = cage.start_waiting(&["--schedule", "60:7200"]);
    let kill = Command::new("kill").arg(waiting.child.id().to_string()).status().unwrap();
    assert!(kill.success());
    assert_eq!(waiting.finish().0.status.signal(), Some(SIGTERM));
    cage.revise("a");
    still_pending(&cage, "SIGTERM");
}

#[test]
fn ends_by_sigterm_while_nobody_takes_its_output() {
    let cage = Cage::new();
    // More than a pipe holds.
    let large = "x".repeat(500_000);
    cage.revise(&large);
    let mut waiting = cage.start_waiting(&["--timeout", "0"]);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut waiting.stderr, &mut line).unwrap();
    assert!(line.starts_with("POLL_FOUND "), "{line}");
    assert!(Command::new("kill").arg(waiting.child.id().to_string()).status().unwrap().success());
    assert_eq!(waiting.child.wait().unwrap().signal(), Some(SIGTERM));
    assert_eq!(cage.cursor("inbox"), None);
    assert_eq!(cage.poll(&["--all"]).exits_with(0).instructions(), [large]);
}

#[test]
fn a_command_line_that_makes_no_sense_is_told_apart() {
    for args in [
        &["--timeout", "soon"][..],
        &["--timeout", "-1"],
        &["--schedule", "10"],
        &["--mailbox", "mail"],
        &["--consumer", "../x"],
        &["--since", "yesterday"],
        &["--all", "--follow"],
        &["--heartbeat", "0"],
        &["message"],
    ] {
        let cage = Cage::new();
        let ran = cage.poll(args).exits_with(2);
        assert_eq!(ran.stdout(), "", "{args:?}");
        assert!(!cage.dir.path().exists(), "{args:?}");
    }
    for args in ["--help", "--version"] {
        assert_ne!(Cage::new().poll(&[args]).exits_with(0).stdout(), "");
    }
}

#[test]
fn says_which_folder_it_could_not_read() {
    let ran = Cage::new().poll(&["--dir", "/dev/null/cage", "--timeout", "0"]).exits_with(74);
    insta::assert_snapshot!(ran.stderr(), @r"
        POLL_START timeout=0 schedule=10:900,30:3600,60:7200
        cage-poll: could not open the folder /dev/null/cage/inbox: Not a directory (os error 20)
        ");
}

#[test]
fn finds_its_folder_by_flag_then_cage_dir_then_home() {
    let cage = Cage::new();
    cage.revise("a");
    let dir = cage.dir.path().to_str().unwrap();
    let home = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(dir, home.path().join(".cage")).unwrap();
    let run = |args: &[&str], env: &[(&str, &str)]| {
        let mut command = Command::new(PROGRAM);
        command.args(["--timeout", "0", "--peek"]).args(args).env_clear().envs(env.iter().copied());
        let ran = Ran(command.stdin(Stdio::null()).output().unwrap()).exits_with(0);
        assert_eq!(ran.instructions(), ["a"]);
    };
    let nowhere = "/dev/null/cage";
    let home = home.path().to_str().unwrap();
    run(&["--dir", dir], &[("CAGE_DIR", nowhere), ("HOME", nowhere)]);
    run(&[], &[("CAGE_DIR", dir), ("HOME", nowhere)]);
    run(&[], &[("HOME", home)]);
}
