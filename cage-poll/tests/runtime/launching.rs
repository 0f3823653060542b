//! What is refused, and how a launch goes on with an earlier one.

use std::fs;

use cage_proto::agent::State;

use crate::cage::{Cage, run};

/// Counts its turns and reports how it was told.
const COUNTS: &str =
    r#"echo turn >> "$CAGE_DIR/../turns"; complete "$(printf %s "$instructions" | head -c 8)""#;

#[test]
fn refuses_a_second_supervisor_and_names_the_first() {
    let mut cage = Cage::new();
    let first = cage.supervise(&[], COUNTS);
    cage.expect_complete();
    let pid = cage.session().supervisor_pid.unwrap();
    let stderr = cage.supervise(&[], COUNTS).wait(1);
    assert!(stderr.contains(&format!("process {pid} supervises an agent in this cage already")), "{stderr}");
    first.stop();
}

#[test]
fn refuses_a_task_that_is_missing_empty_or_no_text() {
    let cage = Cage::new();
    let task = cage.path("task.md");
    let refuse = || {
        let output =
            run(cage.cage_poll(&["supervise", "--task-file", task.to_str().unwrap(), "--", "true"]), b"");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refuse().contains("there is no task file"));
    for (content, reason) in [(&b" \n"[..], "is empty"), (b"\xff", "is not UTF-8")] {
        fs::write(&task, content).unwrap();
        assert!(refuse().contains(reason), "{reason}");
    }
}

#[test]
fn refuses_flags_of_the_agent_that_contradict_it() {
    let cage = Cage::new();
    let output = run(cage.cage_poll(&["supervise", "--", "claude", "-p", "--resume", "x"]), b"");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("--resume cannot be combined with supervise"), "{stderr}");
}

#[test]
fn waits_with_a_task_that_is_done_and_begins_one_that_was_written_anew() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], COUNTS);
    assert_eq!(cage.expect_complete(), "the task");
    cage.wait_for_state(State::Waiting);
    supervisor.stop();
    cage.supervise(&["--timeout", "0"], COUNTS).wait(0);
    assert_eq!(cage.expect("going_idle")["waited_seconds"], 0);
    fs::write(cage.path("task.md"), "the task again").unwrap();
    cage.supervise(&["--timeout", "0"], COUNTS).wait(0);
    assert_eq!(cage.expect_complete(), "the task");
    assert_eq!(cage.wait_for_file("turns").lines().count(), 2);
}

#[test]
fn waits_for_the_first_instruction_when_there_is_no_task() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise_only(&[], COUNTS);
    cage.wait_for_state(State::Waiting);
    cage.revise("begin");
    assert_eq!(cage.expect_complete(), "Message ");
    supervisor.stop();
}

#[test]
fn prints_the_instructions_for_the_agent() {
    let cage = Cage::new();
    let output = run(cage.cage_poll(&["instructions"]), b"");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), cage_proto::agent::instructions());
}
