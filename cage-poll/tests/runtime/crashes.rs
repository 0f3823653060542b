//! Agents and supervisors that do not end as they should.

use std::time::{Duration, Instant};

use cage_proto::agent::State;
use rustix::process::{Pid, Signal, kill_process};

use crate::cage::{Cage, run, runs, wait_until};

/// How soon the host must hear of a crash.
const CRASH_REPORT_MAX: Duration = Duration::from_secs(2);

/// Works for ever on its first turn, and reports on every later one.
const HANGS_ONCE: &str = r#"
[ -e "$CAGE_DIR/../pid" ] && { complete "$(printf %s "$instructions" | tr '\n"' ' _')"; exit; }
echo $$ > "$CAGE_DIR/../pid"; echo working; sleep 1000"#;

fn pid(text: &str) -> Pid {
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

#[test]
fn reports_a_killed_agent_at_once_and_resumes_it_with_a_revision() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], HANGS_ONCE);
    let agent = pid(&cage.wait_for_file("pid"));
    kill_process(agent, Signal::KILL).unwrap();
    let killed = Instant::now();
    let message = cage.expect_error("agent_crashed");
    assert!(killed.elapsed() < CRASH_REPORT_MAX, "it took {:?}", killed.elapsed());
    assert!(message.contains("signal 9"), "{message}");
    cage.wait_for_state(State::Crashed);
    cage.revise("try again");
    assert!(cage.expect_complete().contains("try again"));
    supervisor.stop();
}

#[test]
fn reports_the_exit_code_and_the_end_of_the_log() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], "echo so far so good; echo out of ideas >&2; exit 3");
    let message = cage.expect_error("agent_crashed");
    assert!(message.contains("exit code 3") && message.contains("out of ideas"), "{message}");
    supervisor.stop();
}

#[test]
fn hands_over_again_what_a_crashed_agent_did_not_answer() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(
        &[],
        r#"case $instructions in
            "the task") complete one;;
            *) [ -e "$CAGE_DIR/../died" ] && complete "again: $(echo "$instructions" | grep -c important)"
               [ -e "$CAGE_DIR/../died" ] || { touch "$CAGE_DIR/../died"; kill -9 $$; };;
        esac"#,
    );
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    cage.revise("important");
    cage.expect_error("agent_crashed");
    assert_eq!(cage.expect_complete(), "again: 1");
    cage.wait_for_state(State::Waiting);
    assert_eq!(cage.pending(), Vec::<String>::new());
    supervisor.stop();
}

#[test]
fn goes_on_after_the_supervisor_was_killed_and_ends_its_agent() {
    let mut cage = Cage::new();
    let supervisor = cage.supervise(&[], HANGS_ONCE);
    let agent = cage.wait_for_file("pid");
    wait_until(cage.dir.path(), || cage.session().pid).unwrap();
    supervisor.kill();
    let supervisor = cage.supervise(&[], HANGS_ONCE);
    assert_eq!(cage.expect_complete(), "the task");
    // Its parent is gone too, so when it is reaped is not ours to say.
    assert!(!runs(&agent), "the agent of the first supervisor still runs");
    supervisor.stop();
}

#[test]
fn repeats_nothing_after_the_supervisor_was_killed_between_two_turns() {
    let mut cage = Cage::new();
    let script = r#"complete "$(printf %s "$instructions" | head -c 20 | tr '\n' ' ')""#;
    let supervisor = cage.supervise(&[], script);
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    supervisor.kill();
    let supervisor = cage.supervise(&[], script);
    cage.revise("next");
    assert_eq!(cage.expect_complete(), "Message from your ho");
    supervisor.stop();
}

#[test]
fn says_that_an_agent_cannot_be_started() {
    let mut cage = Cage::new();
    cage.revise("begin");
    let output = run(cage.cage_poll(&["supervise", "--", "/no/such/agent"]), b"");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(cage.expect_error("agent_crashed").contains("/no/such/agent"));
    assert_eq!(cage.session().state, State::Crashed);
    assert_eq!(cage.pending().len(), 1);
}

#[test]
fn goes_on_when_what_it_complains_of_is_read_by_nobody() {
    let mut cage = Cage::new();
    let mut supervisor = cage.supervise(
        &[],
        r#"while [ ! -e "$CAGE_DIR/../unread" ]; do sleep 0.02; done
        mkdir "$CAGE_DIR/cursor/.inbox.handed"; complete ok"#,
    );
    supervisor.close_stderr();
    std::fs::write(cage.path("unread"), "").unwrap();
    cage.expect_complete();
    cage.wait_for_state(State::Waiting);
    supervisor.stop();
}
