//! A closed pipe ends each command that prints, without a word.

use std::io::Read as _;

use crate::desk::Desk;

/// Runs a command whose output nobody reads, and returns its exit code and what it complained of.
fn unread(desk: &Desk, command: &[&str]) -> (Option<i32>, String) {
    let mut child = desk.command(command).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.unwrap().read_to_string(&mut said).unwrap();
    let complaint = said.lines().filter(|line| line.starts_with("cage:") || line.contains("panic"));
    (status.code(), complaint.collect())
}

#[test]
fn is_quiet_when_nobody_reads_on() {
    let desk = Desk::bare("pipe");
    let folder = desk.path("man");
    for command in [&["completions", "bash"][..], &["man", folder.to_str().unwrap()]] {
        assert_eq!(unread(&desk, command), (Some(141), String::new()), "{command:?}");
    }
}

#[test]
fn is_quiet_when_nobody_reads_what_is_said_of_a_cage() {
    let Some(desk) = Desk::with_cage("pipes") else { return };
    let name = desk.name();
    let work = "echo more >> README.md; git commit --quiet --all --message More; cage-send progress_update --status x; \
                echo a-line > ~/.cage/claude-stream.log";
    desk.agent(&["sh", "-c", work]);
    let commands = [
        &["list"][..],
        &["list", "--json"],
        &["exists", name, "--json"],
        &["outbox", name, "--all"],
        &["outbox", name, "--poll", "--timeout", "30"],
        &["inbox", name, "ack", r#"{"acked_id":"x"}"#],
        &["diff", name, "--full", "--stats"],
        &["export", name, "--yes"],
        &["patch", name, "--stdout"],
        &["logs", name],
        &["logs", name, "--raw"],
        &["diagnose", name],
        &["report", name],
        &["report", name, "--html"],
        &["sync", name],
        &["tidy", name],
        &["snapshots"],
        &["doctor"],
        &["init"],
        &["gc"],
        &["stop", name, "--grace", "0"],
        &["salvage", name],
        &["start", name],
        &["destroy", name, "--yes"],
    ];
    for command in commands {
        assert_eq!(unread(&desk, command), (Some(141), String::new()), "{command:?}");
    }
}
