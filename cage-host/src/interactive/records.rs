//! What the hooks wrote down about the agent's sessions: `sessions/<id>.json`.
//!
//! The agent gets new ids when it compacts or resumes, and starts other agents that write records too. So the turn of a
//! prompt is found by the prompt, and from there on followed through its session and those that succeed it.

use cage_proto::message::Timestamp;
use serde::Deserialize;

/// The members that are used here.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) session_id: String,
    source: Option<String>,
    started_at: Option<Timestamp>,
    pub(super) status: Status,
    prompted_at: Option<Timestamp>,
    prompt: Option<String>,
    stopped_at: Option<Timestamp>,
    pub(super) last_message: Option<String>,
    pub(super) error: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Running,
    Paused,
    Done,
    Failed,
    #[default]
    #[serde(other)]
    Unknown,
}

/// Sources of a session that goes on with an earlier one.
const SUCCESSORS: [&str; 3] = ["clear", "compact", "resume"];

/// The newest records, the one that was changed last first.
#[derive(Debug, Clone, Default)]
pub(super) struct Records(pub(super) Vec<Record>);

/// A moment of the cage's clock, which may differ from the host's.
pub(super) type Moment = Option<Timestamp>;

/// The turn that a prompt began.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Begun {
    session_id: String,
    at: Moment,
}

impl Record {
    /// Reads a record. The agent can write these files too, so one that makes no sense is none.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl Records {
    /// Returns when anything was last prompted.
    pub(super) fn last_prompted(&self) -> Moment {
        let moments = self.0.iter().filter_map(|record| record.prompted_at.clone());
        moments.max_by_key(Timestamp::instant)
    }

    /// Finds the turn that `prompt` began after a moment.
    pub(super) fn begun(&self, prompt: &str, after: &Moment) -> Option<Begun> {
        let is_it = |record: &&Record| {
            is_later(&record.prompted_at, after)
                && record.prompt.as_deref().is_some_and(|seen| is_same(seen, prompt))
        };
        let record = self.0.iter().find(is_it)?;
        Some(Begun { session_id: record.session_id.clone(), at: record.prompted_at.clone() })
    }

    /// Returns the record in which a turn is to be found now, the newest one first.
    pub(super) fn of(&self, turn: &Begun) -> Option<&Record> {
        let succeeds = |record: &Record| {
            record.source.as_deref().is_some_and(|source| SUCCESSORS.contains(&source))
                && is_later(&record.started_at, &turn.at)
        };
        self.0.iter().find(|record| record.session_id == turn.session_id || succeeds(record))
    }
}

impl Begun {
    /// Says whether a record shows the turn's end.
    pub(super) fn is_over(&self, record: &Record) -> bool {
        matches!(record.status, Status::Done | Status::Failed) && is_later(&record.stopped_at, &self.at)
    }
}

fn is_later(moment: &Moment, than: &Moment) -> bool {
    match (moment, than) {
        (Some(moment), Some(than)) => moment.instant() > than.instant(),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Compares what was typed with what the agent took: it makes other blanks of tabs and line ends, and its record holds
/// the beginning.
fn is_same(seen: &str, typed: &str) -> bool {
    let visible = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let seen = visible(seen);
    !seen.is_empty() && visible(typed).starts_with(&seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(mut members: serde_json::Value) -> Record {
        members["session_id"] = members.get("session_id").cloned().unwrap_or(json!("a"));
        Record::parse(members.to_string().as_bytes()).unwrap()
    }

    fn at(second: u32) -> String {
        format!("2026-11-21T14:00:{second:02}Z")
    }

    fn prompted(session: &str, prompt: &str, second: u32) -> Record {
        record(
            json!({ "session_id": session, "status": "running", "prompt": prompt, "prompted_at": at(second) }),
        )
    }

    #[test]
    fn finds_the_turn_that_a_prompt_began_and_no_earlier_one() {
        let earlier = Records(vec![prompted("a", "go", 1)]);
        let before = earlier.last_prompted();
        assert_eq!(earlier.begun("go", &before), None);
        assert!(Records(vec![prompted("a", "go", 2)]).begun("\tgo\n", &before).is_some());
        assert_eq!(Records(vec![prompted("b", "another agent's", 2)]).begun("go", &before), None);
    }

    #[test]
    fn knows_a_long_prompt_by_its_beginning() {
        let records = Records(vec![prompted("a", &"é".repeat(32 * 1024), 1)]);
        assert!(records.begun(&"é".repeat(90_000), &None).is_some());
    }

    #[test]
    fn follows_a_turn_through_a_compaction_and_not_into_another_agent() {
        let turn = Records(vec![prompted("a", "go", 2)]).begun("go", &None).unwrap();
        let nested = record(
            json!({ "session_id": "n", "source": "startup", "started_at": at(3), "status": "done", "stopped_at": at(4) }),
        );
        let alone = Records(vec![nested.clone(), prompted("a", "go", 2)]);
        assert!(!turn.is_over(alone.of(&turn).unwrap()));
        let compacted = record(
            json!({ "session_id": "c", "source": "compact", "started_at": at(3), "status": "done", "stopped_at": at(5) }),
        );
        let records = Records(vec![nested, compacted, prompted("a", "go", 2)]);
        assert!(turn.is_over(records.of(&turn).unwrap()));
    }

    #[test]
    fn takes_neither_a_pause_nor_an_earlier_end_for_the_end() {
        let turn = Begun { session_id: "a".to_owned(), at: at(2).parse().ok() };
        let ended = |status: &str, second| record(json!({ "status": status, "stopped_at": at(second) }));
        assert!(turn.is_over(&ended("done", 3)) && turn.is_over(&ended("failed", 3)));
        for record in [ended("paused", 3), ended("running", 3), ended("done", 1), ended("dreaming", 3)] {
            assert!(!turn.is_over(&record), "{record:?}");
        }
    }

    #[test]
    fn reads_no_record_that_makes_no_sense() {
        assert_eq!(Record::parse(b"{"), None);
        assert_eq!(Record::parse(br#"{"prompted_at":"soon"}"#), None);
    }
}
