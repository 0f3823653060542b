//! Every transition of the machine.

use std::time::Duration;

use cage_proto::agent::State;

use super::states::HOOKS_GRACE;
use super::*;
use crate::supervise::texts;

const NOW: Duration = Duration::from_secs(7200);

fn rules() -> Rules {
    Rules {
        timeout: NOW,
        max_turns: None,
        retry_after: vec![Duration::from_secs(5), Duration::from_secs(20)],
        grace: Duration::from_secs(10),
        remembers: true,
        has_hooks: false,
    }
}

/// A machine whose agent works on its task and has a conversation.
fn working() -> Machine {
    working_by(rules())
}

fn working_by(rules: Rules) -> Machine {
    let mut machine = Machine::new(rules);
    machine.step(Input::Begin(Opening::Task("task".into())));
    machine.step(Input::Conversation);
    machine.step(Input::Spoke);
    machine
}

fn finished(reported: Reported) -> Input {
    Input::TurnOver { ending: Ending::Finished { last_words: "bye".into() }, reported }
}

fn crashed(cause: Cause) -> Input {
    let crash = Crash { reason: "killed".into(), cause };
    Input::TurnOver { ending: Ending::Crashed(crash), reported: Reported::Nothing }
}

/// The state that was entered last.
fn entered(actions: &[Action]) -> Option<(State, bool)> {
    actions.iter().rev().find_map(|action| match action {
        Action::Enter { state, turn_open, .. } => Some((*state, *turn_open)),
        _ => None,
    })
}

fn reports(actions: &[Action]) -> Vec<&'static str> {
    let report = |action: &Action| match action {
        Action::Report { error_type, .. } => Some(*error_type),
        _ => None,
    };
    actions.iter().filter_map(report).collect()
}

fn resumed_with(actions: &[Action]) -> Option<&str> {
    actions.iter().find_map(|action| match action {
        Action::Resume(text) => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn starts_a_new_conversation_with_a_task() {
    let actions = Machine::new(rules()).step(Input::Begin(Opening::Task("task".into())));
    assert_eq!(entered(&actions), Some((State::Working, true)));
    assert_eq!(actions.last(), Some(&Action::Start("task".into())));
}

#[test]
fn counts_what_was_handed_over_as_arrived_when_the_model_answers_and_only_once() {
    let mut machine = Machine::new(rules());
    machine.step(Input::Begin(Opening::Task("task".into())));
    assert_eq!(machine.step(Input::Spoke), [Action::Arrived(Arrival::Answered)]);
    assert_eq!(machine.step(Input::Spoke), []);
}

#[test]
fn waits_after_a_report() {
    for reported in [Reported::Complete, Reported::Question] {
        let actions = working().step(finished(reported));
        assert_eq!(actions[0], Action::Arrived(Arrival::EndedTurn));
        assert_eq!(entered(&actions), Some((State::Waiting, reported == Reported::Question)));
        assert!(actions.ends_with(&[Action::Set(Timer::Wait, NOW), Action::WatchInbox]), "{actions:?}");
    }
}

#[test]
fn reminds_an_agent_that_ended_silently_and_reports_it_the_second_time() {
    let mut machine = working();
    let actions = machine.step(finished(Reported::Nothing));
    assert_eq!((resumed_with(&actions), reports(&actions)), (Some(texts::REMINDER), vec![]));
    let actions = machine.step(finished(Reported::Nothing));
    assert_eq!((resumed_with(&actions), reports(&actions)), (None, vec!["agent_ended_silently"]));
    assert_eq!(entered(&actions), Some((State::Waiting, true)));
}

#[test]
fn reminds_again_after_the_next_instruction() {
    let mut machine = working();
    machine.step(finished(Reported::Nothing));
    machine.step(finished(Reported::Nothing));
    machine.step(Input::Inbox("revision".into()));
    let actions = machine.step(finished(Reported::Nothing));
    assert_eq!(resumed_with(&actions), Some(texts::REMINDER));
}

#[test]
fn reports_a_crash_and_waits_for_the_host() {
    let actions = working().step(crashed(Cause::Other));
    assert_eq!(actions[0], Action::Withdraw);
    assert_eq!(reports(&actions), ["agent_crashed"]);
    assert_eq!(entered(&actions), Some((State::Crashed, true)));
    assert_eq!(actions.last(), Some(&Action::WatchInbox));
}

#[test]
fn resumes_a_crashed_agent_with_the_next_message() {
    let mut machine = working();
    machine.step(crashed(Cause::Other));
    let actions = machine.step(Input::Inbox("revision".into()));
    assert_eq!(resumed_with(&actions), Some("revision"));
    assert_eq!(actions[0], Action::Clear(Timer::Wait));
}

#[test]
fn retries_what_may_pass_with_longer_and_longer_pauses_up_to_a_limit() {
    let mut machine = working();
    for pause in [5, 20] {
        let actions = machine.step(crashed(Cause::Transient));
        assert_eq!(reports(&actions), ["agent_crashed"]);
        assert_eq!(actions.last(), Some(&Action::Set(Timer::Retry, Duration::from_secs(pause))));
        assert!(resumed_with(&machine.step(Input::Elapsed(Timer::Retry))).is_some());
    }
    let actions = machine.step(crashed(Cause::Transient));
    assert_eq!(entered(&actions), Some((State::Crashed, true)));
}

#[test]
fn retries_anew_after_a_turn_that_went_well() {
    let mut machine = working();
    for _ in 0..5 {
        machine.step(crashed(Cause::Transient));
        machine.step(Input::Elapsed(Timer::Retry));
        machine.step(finished(Reported::Complete));
        assert!(resumed_with(&machine.step(Input::Inbox("revision".into()))).is_some());
    }
}

#[test]
fn repeats_an_instruction_that_the_model_did_not_answer() {
    let mut machine = working();
    machine.step(crashed(Cause::Transient));
    assert_eq!(resumed_with(&machine.step(Input::Elapsed(Timer::Retry))), Some(texts::GO_ON));
    machine.step(crashed(Cause::Transient));
    assert_eq!(resumed_with(&machine.step(Input::Elapsed(Timer::Retry))), Some(texts::GO_ON));

    let mut machine = Machine::new(rules());
    machine.step(Input::Begin(Opening::Task("task".into())));
    machine.step(Input::Conversation);
    machine.step(crashed(Cause::Transient));
    assert_eq!(resumed_with(&machine.step(Input::Elapsed(Timer::Retry))), Some("task"));
}

#[test]
fn leaves_messages_that_did_not_arrive_to_the_inbox() {
    let mut machine = working();
    machine.step(finished(Reported::Complete));
    machine.step(Input::Inbox("revision".into()));
    assert_eq!(machine.step(crashed(Cause::Transient))[0], Action::Withdraw);
    assert_eq!(resumed_with(&machine.step(Input::Elapsed(Timer::Retry))), Some(""));
}

#[test]
fn begins_a_new_conversation_when_the_old_one_is_lost() {
    let mut machine = working();
    machine.step(finished(Reported::Complete));
    machine.step(Input::Inbox("revision".into()));
    machine.step(crashed(Cause::ConversationLost));
    let actions = machine.step(Input::Elapsed(Timer::Retry));
    assert_eq!(actions.last(), Some(&Action::Start(texts::begin_again(Some("task")))));
}

#[test]
fn ends_when_the_agent_cannot_be_started() {
    let mut machine = Machine::new(rules());
    machine.step(Input::Begin(Opening::Task("task".into())));
    let actions = machine.step(crashed(Cause::CannotStart));
    assert_eq!(reports(&actions), ["agent_crashed"]);
    assert_eq!(actions.last(), Some(&Action::Exit(Outcome::CannotStart)));
}

#[test]
fn goes_idle_when_nothing_comes() {
    let mut machine = working();
    machine.step(finished(Reported::Complete));
    let actions = machine.step(Input::Elapsed(Timer::Wait));
    assert_eq!(actions[0], Action::GoIdle(texts::NOTHING_CAME.into()));
    assert_eq!(entered(&actions), Some((State::Idle, false)));
    assert_eq!(actions.last(), Some(&Action::Exit(Outcome::Planned)));
    assert_eq!(machine.step(Input::Inbox("too late".into())), []);
}

#[test]
fn goes_idle_when_no_further_turn_is_allowed() {
    let mut machine = working_by(Rules { max_turns: Some(1), ..rules() });
    let actions = machine.step(finished(Reported::Complete));
    assert!(actions.contains(&Action::GoIdle(texts::turns_used_up(1))));
    assert!(!actions.contains(&Action::WatchInbox));
}

#[test]
fn interrupts_a_working_agent_and_kills_it_when_it_does_not_end() {
    let mut machine = working();
    let grace = Action::Set(Timer::Grace, Duration::from_secs(10));
    assert_eq!(machine.step(Input::Terminate), [Action::Interrupt, grace]);
    assert_eq!(machine.step(Input::Elapsed(Timer::Grace)), [Action::Kill]);
    let actions = machine.step(crashed(Cause::Other));
    assert_eq!(actions[0], Action::Withdraw);
    assert_eq!(reports(&actions), Vec::<&str>::new(), "it ended because it was told to");
    assert_eq!(entered(&actions), Some((State::Idle, true)));
    assert_eq!(actions.last(), Some(&Action::Exit(Outcome::Planned)));
}

#[test]
fn kills_at_once_when_it_is_told_twice() {
    let mut machine = working();
    machine.step(Input::Terminate);
    assert_eq!(machine.step(Input::Terminate), [Action::Kill]);
}

#[test]
fn is_done_when_it_is_told_to_end_after_a_report() {
    let mut machine = working();
    machine.step(finished(Reported::Complete));
    let actions = machine.step(Input::Terminate);
    assert_eq!(entered(&actions), Some((State::Done, false)));
    assert_eq!(machine.step(Input::Terminate), []);
}

#[test]
fn ends_between_two_tries_when_it_is_told_to() {
    let mut machine = working();
    machine.step(crashed(Cause::Transient));
    assert_eq!(machine.step(Input::Terminate).last(), Some(&Action::Exit(Outcome::Planned)));
    assert_eq!(machine.step(Input::Elapsed(Timer::Retry)), []);
}

#[test]
fn looks_for_hooks_once_and_at_the_latest_at_the_end_of_the_turn() {
    let mut machine = Machine::new(Rules { has_hooks: true, ..rules() });
    machine.step(Input::Begin(Opening::Task("task".into())));
    assert_eq!(machine.step(Input::Conversation), [Action::Set(Timer::Hooks, HOOKS_GRACE)]);
    assert!(machine.step(finished(Reported::Complete)).contains(&Action::LookForHooks));
    machine.step(Input::Inbox("revision".into()));
    assert_eq!(machine.step(Input::Conversation), []);
    assert_eq!(machine.step(Input::Elapsed(Timer::Hooks)), []);
}

#[test]
fn goes_on_in_the_conversation_or_begins_the_task_again_without_one() {
    let go_on = |conversation, remembers| {
        let task = Some("task".to_owned());
        Machine::new(Rules { remembers, ..rules() }).step(Input::Begin(Opening::GoOn { task, conversation }))
    };
    assert_eq!(resumed_with(&go_on(true, true)), Some(texts::GO_ON));
    assert_eq!(resumed_with(&go_on(true, false)), Some("task"));
    assert_eq!(go_on(false, true).last(), Some(&Action::Start("task".into())));
}

#[test]
fn begins_a_conversation_with_the_first_message_when_there_is_no_task() {
    let mut machine = Machine::new(rules());
    machine.step(Input::Begin(Opening::Wait { conversation: false }));
    assert_eq!(machine.step(Input::Inbox("first".into())).last(), Some(&Action::Start("first".into())));
}
