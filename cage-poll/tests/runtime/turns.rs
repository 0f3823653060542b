//! From one turn to the next.

use std::fs;

use cage_proto::agent::State;
use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Ack, InfoResponse};

use crate::cage::Cage;

/// Reports what it was told, on one line.
const ECHO: &str = r#"complete "$(printf %s "$instructions" | tr '\n"' ' _')""#;

#[test]
fn hands_the_task_over_on_stdin_and_in_a_file() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], r#"complete "$instructions / $(cat "$CAGE_INSTRUCTIONS")""#);
    assert_eq!(cage.expect_complete(), "the task / the task");
    supervisor.stop();
}

#[test]
fn makes_a_revision_the_next_turn_and_consumes_it() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], ECHO);
    assert_eq!(cage.expect_complete(), "the task");
    cage.wait_for_state(State::Waiting);
    cage.revise("it's not done");
    assert!(cage.expect_complete().contains("it's not done"));
    cage.wait_for_state(State::Waiting);
    assert_eq!(cage.pending(), Vec::<String>::new());
    assert_eq!(cage.session().turns, 2);
    supervisor.stop();
}

#[test]
fn delivers_two_revisions_in_order_once_each() {
    let mut cage = Cage::new();
    let supervisor =
        cage.supervise(&[], &format!("while [ -e $CAGE_DIR/../hold ]; do sleep 0.05; done; {ECHO}"));
    fs::write(cage.path("hold"), "").unwrap();
    cage.revise("first");
    cage.revise("second");
    fs::remove_file(cage.path("hold")).unwrap();
    let mut told = String::new();
    while !told.contains("second") {
        told += &cage.expect_complete();
    }
    assert!(told.find("first") < told.find("second"), "{told}");
    assert_eq!((told.matches("first").count(), told.matches("second").count()), (1, 1), "{told}");
    supervisor.stop();
}

#[test]
fn makes_an_answer_the_next_turn_of_an_agent_that_asked_and_ended() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        r#"case $instructions in
            "the task") report info_request '{"request_id":"r-1","description":"which?"}';;
            *"the blue one"*) complete blue;;
        esac"#,
    );
    cage.expect("info_request");
    cage.wait_for_state(State::Waiting);
    cage.send(InfoResponse::to("r-1").with_content("the blue one"));
    assert_eq!(cage.expect_complete(), "blue");
    supervisor.stop();
}

#[test]
fn takes_an_ack_for_no_instruction() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], ECHO);
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    cage.send(Ack::new("x"));
    cage.revise("real work");
    assert!(cage.expect_complete().contains("real work"));
    assert_eq!(cage.session().turns, 2);
    supervisor.stop();
}

#[test]
fn reports_a_file_that_is_no_message_and_goes_on_behind_it() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], ECHO);
    cage.expect_complete();
    let name = "2026-01-01T00-00-00Z.json";
    fs::write(cage.dir.mailbox(Mailbox::Inbox).join(name), "[]").unwrap();
    assert!(cage.expect_error("malformed_message").contains(name));
    cage.revise("behind it");
    assert!(cage.expect_complete().contains("behind it"));
    supervisor.stop();
}

#[test]
fn reminds_an_agent_that_ends_silently_and_then_reports_it() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], r#"progress "$(printf %s "$instructions" | head -c 9)"; echo bye"#);
    assert_eq!(cage.expect("progress_update")["status"], "the task");
    assert_eq!(cage.expect("progress_update")["status"], "Your turn");
    let message = cage.expect_error("agent_ended_silently");
    assert!(message.ends_with("its last words: bye"), "{message}");
    assert!(cage.wait_for_state(State::Waiting).turn_open);
    supervisor.stop();
}

#[test]
fn goes_idle_when_nothing_comes_and_leaves_what_comes_later() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&["--timeout", "1"], ECHO);
    cage.expect_complete();
    let idle = cage.expect("going_idle");
    assert_eq!(
        (idle["reason"].as_str(), idle["waited_seconds"].as_u64()),
        (Some("no message came in time"), Some(1))
    );
    supervisor.wait(0);
    assert_eq!(cage.session().state, State::Idle);
    cage.revise("late");
    let supervisor = cage.supervise_only(&[], ECHO);
    assert!(cage.expect_complete().contains("late"));
    supervisor.stop();
}

#[test]
fn goes_idle_after_the_last_turn_that_is_allowed() {
    let mut cage = Cage::new();
    cage.revise("never read");
    let supervisor = cage.supervise(&["--max-turns", "1"], "complete ok");
    cage.expect_complete();
    assert_eq!(cage.expect("going_idle")["reason"], "the limit of turns is reached: 1");
    supervisor.wait(0);
}

#[test]
fn logs_what_the_agent_prints_as_it_comes() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        // The two streams are two pipes, so only what was logged before is certainly in front.
        "printf 'no line break yet'; progress printed; read -r _ < $CAGE_DIR/../go; echo trouble >&2; complete ok",
    );
    let go = cage.path("go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status().unwrap().success());
    cage.expect("progress_update");
    crate::cage::wait_until(cage.dir.path(), || cage.log().contains("no line break yet").then_some(()))
        .unwrap();
    fs::write(&go, "\n").unwrap();
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    assert_eq!(cage.log(), "no line break yet\ntrouble\n");
    supervisor.stop();
}
