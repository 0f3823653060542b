//! How a launch begins: with a new task, or by going on with an earlier one.

use cage_proto::agent::{Session, State};

use super::machine::Opening;
use super::task::{Task, TaskKey};

/// Decides how to begin, from what an earlier supervisor wrote down and what was asked for.
pub(super) fn opening(earlier: Option<&Session>, agent: &str, task: Option<Task>) -> Opening {
    let earlier = earlier.filter(|session| session.agent == agent);
    let conversation = earlier.is_some_and(|session| session.session_id().is_some());
    match (earlier, task) {
        (None, None) => Opening::Wait { conversation: false },
        (None, Some(task)) => Opening::Task(task.text),
        (Some(earlier), Some(task)) if !is_same(earlier, &task.key) => Opening::Task(task.text),
        (Some(earlier), task) if earlier.turn_open => {
            Opening::GoOn { task: task.map(|task| task.text), conversation }
        }
        (Some(_), _) => Opening::Wait { conversation },
    }
}

fn is_same(earlier: &Session, key: &TaskKey) -> bool {
    let ended = matches!(earlier.state, State::Idle | State::Done) && !earlier.turn_open;
    let same = earlier.task_key.as_deref() == Some(&key.text());
    same && (matches!(key, TaskKey::File { .. }) || !ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: TaskKey = TaskKey::File { modified_ns: 1, bytes: 4 };
    const WORDS: TaskKey = TaskKey::Words(7);

    fn earlier(state: State, turn_open: bool, key: &TaskKey) -> Session {
        let mut session = Session::new("claude", "2026-03-26T14:30:00Z".parse().unwrap());
        session.saw_session_id("9b2f");
        session.task_key = Some(key.text());
        Session { state, turn_open, ..session }
    }

    fn open(earlier: &Session, key: Option<&TaskKey>) -> Opening {
        let task = key.map(|key| Task { text: "task".into(), key: key.clone() });
        opening(Some(earlier), "claude", task)
    }

    fn begins_anew(opening: &Opening) -> bool {
        *opening == Opening::Task("task".into())
    }

    #[test]
    fn begins_a_first_task_and_waits_without_one() {
        let task = Task { text: "task".into(), key: FILE };
        assert!(begins_anew(&opening(None, "claude", Some(task))));
        assert_eq!(opening(None, "claude", None), Opening::Wait { conversation: false });
    }

    #[test]
    fn goes_on_with_the_same_task_that_was_cut_off() {
        for state in [State::Working, State::Idle, State::Crashed] {
            for key in [FILE, WORDS] {
                let opening = open(&earlier(state, true, &key), Some(&key));
                assert_eq!(opening, Opening::GoOn { task: Some("task".into()), conversation: true });
            }
        }
    }

    #[test]
    fn waits_with_the_same_task_that_is_done() {
        for state in [State::Waiting, State::Idle, State::Done] {
            assert_eq!(
                open(&earlier(state, false, &FILE), Some(&FILE)),
                Opening::Wait { conversation: true }
            );
        }
    }

    #[test]
    fn takes_the_same_words_for_a_new_task_once_the_old_one_has_ended() {
        assert!(begins_anew(&open(&earlier(State::Done, false, &WORDS), Some(&WORDS))));
        assert!(!begins_anew(&open(&earlier(State::Waiting, false, &WORDS), Some(&WORDS))));
    }

    #[test]
    fn begins_another_task_or_another_agent_anew() {
        assert!(begins_anew(&open(&earlier(State::Working, true, &WORDS), Some(&FILE))));
        let other = Session { agent: "command".into(), ..earlier(State::Working, true, &FILE) };
        assert!(begins_anew(&open(&other, Some(&FILE))));
    }

    #[test]
    fn goes_on_without_a_task() {
        let cut_off = earlier(State::Working, true, &FILE);
        assert_eq!(open(&cut_off, None), Opening::GoOn { task: None, conversation: true });
        let done = earlier(State::Done, false, &FILE);
        assert_eq!(open(&done, None), Opening::Wait { conversation: true });
    }
}
