//! Being told to end, and what is left then.

use cage_proto::agent::State;
use rustix::process::Signal;

use crate::cage::{Cage, exists};

#[test]
fn passes_the_signal_on_and_says_what_was_cut_off() {
    let cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        r#"trap 'echo told > "$CAGE_DIR/../told"; exit 143' TERM
        echo $$ > "$CAGE_DIR/../pid"; while :; do sleep 0.05; done"#,
    );
    let agent = cage.wait_for_file("pid");
    supervisor.stop();
    assert_eq!(cage.wait_for_file("told"), "told\n");
    assert!(!exists(&agent));
    let session = cage.session();
    assert_eq!((session.state, session.turn_open, session.pid), (State::Idle, true, None));
}

#[test]
fn kills_an_agent_that_does_not_listen() {
    let cage = Cage::new();
    let supervisor = cage.supervise(
        &["--grace", "1"],
        r#"trap '' TERM; echo $$ > "$CAGE_DIR/../pid"; while :; do sleep 0.05; done"#,
    );
    let agent = cage.wait_for_file("pid");
    supervisor.stop();
    assert!(!exists(&agent));
}

#[test]
fn leaves_no_process_that_the_agent_left_behind() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        r#"setsid sh -c 'echo $$ > "$CAGE_DIR/../pid"; trap "" TERM HUP; sleep 1000' & complete ok"#,
    );
    cage.expect_complete();
    let left = cage.wait_for_file("pid");
    // The process holds the agent's output open, and the turn is over all the same.
    cage.wait_for_state(State::Waiting);
    assert!(exists(&left), "between turns it may be wanted");
    supervisor.stop();
    assert!(!exists(&left));
}

#[test]
fn leaves_a_message_that_was_not_answered_in_the_inbox() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        r#"[ "$instructions" = "the task" ] && { complete ok; exit; }
        echo $$ > "$CAGE_DIR/../pid"; sleep 1000"#,
    );
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    cage.revise("not answered");
    cage.wait_for_file("pid");
    supervisor.stop();
    assert_eq!(cage.pending().len(), 1);
}

#[test]
fn is_done_when_it_is_told_to_end_after_a_report() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], "complete ok");
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    supervisor.stop();
    assert_eq!(cage.session().state, State::Done);
}

#[test]
fn ends_at_once_when_it_is_told_twice() {
    let cage = Cage::new();
    let supervisor =
        cage.supervise(&[], r#"trap '' TERM; echo $$ > "$CAGE_DIR/../pid"; while :; do sleep 0.05; done"#);
    cage.wait_for_file("pid");
    supervisor.signal(Signal::TERM);
    // Two signals of one kind that come together are one.
    supervisor.signal(Signal::INT);
    supervisor.wait(0);
}
