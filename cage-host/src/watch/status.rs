//! What a cage is doing, decided from a snapshot of it.

use std::fmt;
use std::time::Duration;

use cage_proto::agent::{Session, State, Usage};
use cage_proto::message::{InfoRequest, Payload, TaskComplete};
use chrono::{DateTime, TimeDelta, Utc};

use super::event::{brief, shown};
use super::snapshot::{Account, Life, Snapshot};

/// How long an agent that works may print nothing before it counts as silent. A long command is as quiet as a stuck
/// agent; [`Status::quiet_for`] lets a caller draw the line elsewhere.
pub const SILENT_AFTER: Duration = Duration::from_secs(300);

/// How long a launch may take until the supervisor's first word.
const START_GRACE: Duration = Duration::from_secs(60);

/// How long after a question the agent may still print something about the asking itself.
const ASK_GRACE: Duration = Duration::from_secs(2);

/// What a cage is doing, as it says itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// What it is doing.
    pub activity: Activity,
    /// What the turns that have ended cost; nothing when no agent was launched.
    pub spent: Option<Spent>,
    /// How long ago the agent last printed anything, by the cage's clock, to about a second.
    pub quiet_for: Option<Duration>,
    /// What the agent last said about its progress, safe to show.
    pub last_progress: Option<String>,
    /// The tool that the agent used last, safe to show.
    pub last_tool: Option<String>,
    /// The id of the conversation, safe to show. It changes when the agent compacts or resumes.
    pub session_id: Option<String>,
}

/// What is going on in a cage. All text is safe to show, except the question itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Activity {
    /// The agent was launched and has not said anything yet.
    Starting,
    /// The agent works.
    Working,
    /// The agent has asked something and waits. Answer it with [`Inbox::answer`](crate::Inbox::answer).
    WaitingForAnswer(Box<InfoRequest>),
    /// The agent works, and has printed nothing for [`SILENT_AFTER`]. It may be stuck, or run something long.
    Silent {
        /// For how long.
        quiet_for: Duration,
    },
    /// The last instruction was reported complete.
    Complete {
        /// 0 when it is done, another number when it was given up.
        exit_code: i64,
        /// What the agent says about it.
        summary: String,
        /// Whether a message in the inbox begins the next turn; otherwise the next launch does.
        listening: bool,
    },
    /// Nobody works, and the last instruction was not reported complete.
    Idle {
        /// Why.
        reason: String,
        /// Whether a message in the inbox begins the next turn; otherwise the next launch does.
        listening: bool,
    },
    /// The agent, or what supervises it, ended when it should not have.
    Crashed {
        /// What is known about it.
        reason: String,
        /// Whether a message in the inbox begins the next turn; otherwise the next launch does.
        listening: bool,
    },
    /// The container is stopped, was never started, or is being removed; its files are there.
    Stopped,
    /// The container is paused.
    Paused,
    /// The cage was removed.
    Gone,
    /// What the cage says about itself cannot be understood.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// What an agent has used so far, as it says itself.
///
/// Claude Code counts the cost of each of its processes alone; here they are added up over the turns of one task. A
/// turn counts when it has ended.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Spent {
    /// Cost in US dollars.
    pub cost_usd: f64,
    /// Tokens.
    pub tokens: Usage,
    /// Instructions that were given to the agent.
    pub turns: u64,
}

impl Status {
    /// The status of a cage that nothing can be run in.
    pub(super) fn without_look(activity: Activity) -> Self {
        Self {
            activity,
            spent: None,
            quiet_for: None,
            last_progress: None,
            last_tool: None,
            session_id: None,
        }
    }

    /// Decides what a cage is doing.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let activity = match &snapshot.account {
            Account::Missing => before_the_first_word(snapshot),
            Account::Malformed(why) => {
                Activity::Unknown { why: format!("session.json cannot be read: {why}") }
            }
            Account::Read(session) => activity(session, snapshot),
        };
        let Account::Read(session) = &snapshot.account else { return Self::without_look(activity) };
        Self {
            activity,
            spent: Some(Spent { cost_usd: session.cost_usd, tokens: session.usage, turns: session.turns }),
            quiet_for: Some(snapshot.age(session.last_activity.instant())),
            last_progress: last_progress(snapshot),
            last_tool: session.last_tool.as_deref().map(shown),
            session_id: session.session_id().map(shown),
        }
    }
}

fn last_progress(snapshot: &Snapshot) -> Option<String> {
    snapshot.outbox.iter().rev().find_map(|(_, message)| match &message.payload {
        Payload::ProgressUpdate(progress) => Some(shown(&progress.status)),
        _ => None,
    })
}

fn before_the_first_word(snapshot: &Snapshot) -> Activity {
    match snapshot.task_written {
        None => idle("no agent was launched", false),
        Some(written) if snapshot.age(written) <= START_GRACE => Activity::Starting,
        Some(_) => {
            let reason = "an agent was launched and its supervisor never said anything".to_owned();
            Activity::Crashed { reason, listening: false }
        }
    }
}

fn activity(session: &Session, snapshot: &Snapshot) -> Activity {
    let supervised = snapshot.supervisor != Life::Ended;
    let reason = || session.reason.as_deref().map(shown);
    match session.state {
        // A later launch writes its task first.
        _ if !supervised && launched_again(session, snapshot) => Activity::Starting,
        State::Working if supervised => working(session, snapshot),
        State::Waiting if supervised => waiting(session, snapshot),
        State::Working | State::Waiting => report(session, snapshot).map_or_else(
            || Activity::Crashed {
                reason: "the supervisor ended without a word".to_owned(),
                listening: false,
            },
            |done| complete(done, false),
        ),
        State::Crashed => {
            let reason = reason().unwrap_or_else(|| "the agent crashed".to_owned());
            Activity::Crashed { reason, listening: supervised }
        }
        State::Idle | State::Done => match report(session, snapshot) {
            Some(done) => complete(done, false),
            None => idle(&reason().unwrap_or_else(|| "nobody works".to_owned()), false),
        },
        State::Unknown => {
            Activity::Unknown { why: "session.json names a state of a later version".to_owned() }
        }
    }
}

fn launched_again(session: &Session, snapshot: &Snapshot) -> bool {
    snapshot.task_written.is_some_and(|written| {
        written > session.last_activity.instant() + TimeDelta::seconds(1)
            && snapshot.age(written) <= START_GRACE
    })
}

fn working(session: &Session, snapshot: &Snapshot) -> Activity {
    let last = session.last_activity.instant();
    let quiet_for = snapshot.age(last);
    let grace = TimeDelta::from_std(ASK_GRACE).unwrap_or_default();
    if let Some((asked, request)) = open_question(snapshot)
        && last <= asked + grace
    {
        // Nothing came behind the question, so the agent sits in its answer.
        return Activity::WaitingForAnswer(Box::new(request.clone()));
    }
    let started = session.started_at.instant();
    if last <= started && snapshot.age(started) <= START_GRACE {
        return Activity::Starting;
    }
    if quiet_for >= SILENT_AFTER { Activity::Silent { quiet_for } } else { Activity::Working }
}

fn waiting(session: &Session, snapshot: &Snapshot) -> Activity {
    if let Some(done) = report(session, snapshot) {
        return complete(done, true);
    }
    match open_question(snapshot) {
        Some((_, request)) => Activity::WaitingForAnswer(Box::new(request.clone())),
        None => idle("the agent ended its turn without a report", true),
    }
}

/// Returns the report about the last instruction, if there was one.
fn report<'a>(session: &Session, snapshot: &'a Snapshot) -> Option<&'a TaskComplete> {
    let mut payloads = snapshot.outbox.iter().rev().map(|(_, message)| &message.payload);
    payloads
        .find_map(|payload| match payload {
            Payload::TaskComplete(done) => Some(done),
            _ => None,
        })
        .filter(|_| !session.turn_open && session.turns > 0)
}

/// Returns the newest question that nobody has answered, and when it was asked.
fn open_question(snapshot: &Snapshot) -> Option<(DateTime<Utc>, &InfoRequest)> {
    let answered = |id: &str| {
        snapshot.inbox.iter().any(|(_, message)| {
            matches!(&message.payload, Payload::InfoResponse(response) if response.request_id == id)
        })
    };
    snapshot.outbox.iter().rev().find_map(|(name, message)| match &message.payload {
        Payload::InfoRequest(request) if !answered(&request.request_id) => Some((name.instant(), request)),
        _ => None,
    })
}

fn complete(done: &TaskComplete, listening: bool) -> Activity {
    Activity::Complete { exit_code: done.exit_code, summary: shown(&done.summary), listening }
}

fn idle(reason: &str, listening: bool) -> Activity {
    Activity::Idle { reason: reason.to_owned(), listening }
}

impl Activity {
    /// Returns what is going on in one word, as programs read it: `working`, `waiting_for_answer` and so on.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Working => "working",
            Self::WaitingForAnswer(_) => "waiting_for_answer",
            Self::Silent { .. } => "silent",
            Self::Complete { .. } => "complete",
            Self::Idle { .. } => "idle",
            Self::Crashed { .. } => "crashed",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Gone => "gone",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Working => f.write_str("working"),
            Self::WaitingForAnswer(request) => {
                write!(f, "waiting for an answer: {}", brief(&shown(&request.description)))
            }
            Self::Silent { quiet_for } => write!(f, "silent for {} min", quiet_for.as_secs() / 60),
            Self::Complete { exit_code, summary, .. } => {
                write!(f, "complete with exit code {exit_code}: {}", brief(summary))
            }
            Self::Idle { reason, .. } => write!(f, "idle: {}", brief(reason)),
            Self::Crashed { reason, .. } => write!(f, "crashed: {}", brief(reason)),
            Self::Stopped => f.write_str("stopped"),
            Self::Paused => f.write_str("paused"),
            Self::Gone => f.write_str("gone"),
            Self::Unknown { why } => write!(f, "unknown: {}", brief(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use cage_proto::message::{InfoResponse, ProgressUpdate};
    use proptest::prelude::*;

    use super::*;
    use crate::watch::snapshot::testing::{message, moment};

    fn session(state: State, turn_open: bool, last_activity: i64) -> Session {
        let mut session = Session::new("claude", moment(0).into());
        session.saw_session_id("9b2f");
        Session { state, turn_open, turns: 1, last_activity: moment(last_activity).into(), ..session }
    }

    fn look(session: Session, now: i64) -> Snapshot {
        Snapshot {
            account: Account::Read(Box::new(session)),
            supervisor: Life::Running,
            ..Snapshot::at(moment(now))
        }
    }

    fn says(snapshot: &Snapshot) -> String {
        Status::of(snapshot).activity.to_string()
    }

    #[test]
    fn tells_a_cage_without_an_agent_from_one_that_starts_and_one_that_never_did() {
        let mut snapshot = Snapshot::at(moment(100));
        assert_eq!(says(&snapshot), "idle: no agent was launched");
        snapshot.task_written = Some(moment(90));
        assert_eq!(says(&snapshot), "starting");
        snapshot.task_written = Some(moment(0));
        assert_eq!(says(&snapshot), "crashed: an agent was launched and its supervisor never said anything");
        snapshot.account = Account::Malformed("the JSON ends in the middle".into());
        assert_eq!(says(&snapshot), "unknown: session.json cannot be read: the JSON ends in the middle");
    }

    #[test]
    fn tells_work_from_silence() {
        assert_eq!(says(&look(session(State::Working, true, 100), 110)), "working");
        assert_eq!(says(&look(session(State::Working, true, 100), 100 + 360)), "silent for 6 min");
        assert_eq!(says(&look(session(State::Working, true, 0), 10)), "starting");
        assert_eq!(says(&look(session(State::Working, true, 0), 100)), "working");
    }

    #[test]
    fn sees_that_an_agent_waits_for_an_answer_until_it_has_one_or_goes_on() {
        let question = message(50, InfoRequest::new("r1", "which colour?"));
        let mut snapshot = look(session(State::Working, true, 51), 60);
        snapshot.outbox = vec![question];
        assert_eq!(says(&snapshot), "waiting for an answer: which colour?");
        let went_on = Snapshot {
            account: Account::Read(Box::new(session(State::Working, true, 58))),
            ..snapshot.clone()
        };
        assert_eq!(says(&went_on), "working");
        let ended_turn = Snapshot {
            account: Account::Read(Box::new(session(State::Waiting, true, 58))),
            ..snapshot.clone()
        };
        assert_eq!(says(&ended_turn), "waiting for an answer: which colour?");
        snapshot.inbox = vec![message(55, InfoResponse::to("r1"))];
        assert_eq!(says(&snapshot), "working");
    }

    #[test]
    fn sees_that_a_task_is_complete_and_whether_a_revision_would_be_heard() {
        let mut snapshot = look(session(State::Waiting, false, 50), 60);
        snapshot.outbox =
            vec![message(40, TaskComplete::new("all done", 3)), message(41, ProgressUpdate::new("x"))];
        assert_eq!(says(&snapshot), "complete with exit code 3: all done");
        for state in [State::Idle, State::Done] {
            let later =
                Snapshot { account: Account::Read(Box::new(session(state, false, 50))), ..snapshot.clone() };
            assert!(matches!(Status::of(&later).activity, Activity::Complete { listening: false, .. }));
        }
        let open = Snapshot { account: Account::Read(Box::new(session(State::Idle, true, 50))), ..snapshot };
        assert_eq!(says(&open), "idle: nobody works");
    }

    #[test]
    fn sees_that_the_supervisor_or_the_agent_crashed() {
        let mut snapshot = look(session(State::Working, true, 50), 60);
        snapshot.supervisor = Life::Ended;
        assert_eq!(says(&snapshot), "crashed: the supervisor ended without a word");
        snapshot.task_written = Some(moment(58));
        assert_eq!(says(&snapshot), "starting", "it was launched again");
        let mut crashed = session(State::Crashed, true, 50);
        crashed.reason = Some("API Error: 401\u{1b}".to_owned());
        assert_eq!(says(&look(crashed, 60)), "crashed: API Error: 401\\u{1b}");
        assert_eq!(
            says(&look(session(State::Waiting, true, 50), 60)),
            "idle: the agent ended its turn without a report"
        );
    }

    #[test]
    fn tells_what_was_spent() {
        let mut session = session(State::Working, true, 50);
        session.cost_usd = 0.5;
        session.usage.output_tokens = 7;
        let spent = Status::of(&look(session, 60)).spent.unwrap();
        assert_eq!((spent.cost_usd, spent.tokens.output_tokens, spent.turns), (0.5, 7, 1));
    }

    proptest! {
        /// Whatever a cage says: a status comes, it shows no control character, and nobody who has ended listens.
        #[test]
        fn says_something_about_any_snapshot(
            state in 0_usize..6, turn_open: bool, supervisor in 0_usize..3, last in -1_000_i64..1_000,
            written in prop::option::of(-1_000_i64..1_000), reason: Option<String>, asked: bool, done: bool,
        ) {
            let states = [State::Working, State::Waiting, State::Idle, State::Crashed, State::Done, State::Unknown];
            let mut session = session(states[state], turn_open, last);
            session.reason = reason;
            let mut snapshot = look(session, 0);
            snapshot.supervisor = [Life::Running, Life::Ended, Life::Unknown][supervisor];
            snapshot.task_written = written.map(moment);
            snapshot.outbox.extend(asked.then(|| message(-5, InfoRequest::new("r", "\u{1b}?"))));
            snapshot.outbox.extend(done.then(|| message(-4, TaskComplete::new("\u{1b}", 0))));
            let status = Status::of(&snapshot);
            prop_assert!(!status.activity.to_string().chars().any(char::is_control), "{status:?}");
            if let Activity::Complete { listening, .. } | Activity::Crashed { listening, .. } = status.activity {
                prop_assert!(!listening || snapshot.supervisor != Life::Ended);
            }
            let complete = matches!(status.activity, Activity::Complete { .. });
            prop_assert!(!complete || (done && !turn_open));
        }
    }
}
