//! Why a cage does what it does, and one thing to do about it.

use std::fmt;
use std::time::Duration;

use super::event::{LogEvent, brief, shown};
use super::snapshot::{Life, Snapshot};
use super::status::{Activity, Status};

/// Free space below which a disk counts as full, in bytes: the agent's own files need more in a minute.
const DISK_FULL_BYTES: u64 = 16 * 1024 * 1024;

/// Of a limit, the part that counts as used up, in percent.
const USED_UP_PERCENT: u64 = 95;

/// The status of a cage, what it rests on, and one suggestion.
///
/// `Display` prints all three, safe to show.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What the cage is doing.
    pub status: Status,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// What to do next.
    pub suggestion: Suggestion,
}

/// Something that was seen. What could not be found out is missing. All text is safe to show.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Evidence {
    /// The newest message of the agent.
    LastMessage {
        /// Its type.
        kind: String,
        /// How long ago it was sent.
        age: Duration,
    },
    /// The last event in the agent's log.
    LastEvent(LogEvent),
    /// The program that supervises the agent.
    Supervisor {
        /// Whether it runs.
        running: bool,
    },
    /// The agent's process.
    Agent {
        /// Whether it runs.
        running: bool,
    },
    /// Memory of the cage; on the embedded backend, of this machine.
    Memory {
        /// Bytes in use, caches included.
        used_bytes: u64,
        /// Bytes that may be used; nothing without a limit.
        limit_bytes: Option<u64>,
    },
    /// Processes that were killed because the cage had no memory left.
    OutOfMemory {
        /// How many since the container was started.
        kills: u64,
    },
    /// Processes in the cage.
    Processes {
        /// How many there are.
        count: u64,
        /// How many there may be.
        limit: u64,
    },
    /// Space on the disk that the message folder lies on.
    Disk {
        /// Bytes that are free.
        free_bytes: u64,
    },
    /// The session-start hook, without which messages reach the agent only between its turns.
    Hooks {
        /// Whether it has run in this conversation.
        ran: bool,
    },
    /// Failures of the API in the end of the log, since the model last said something.
    ApiErrors {
        /// How many.
        count: usize,
        /// The HTTP status of the last one.
        status: Option<u64>,
        /// Its short name.
        error: String,
    },
    /// The look into the cage failed with these words.
    NoLook(String),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Suggestion {
    /// Nothing: wait for the next message.
    Wait,
    /// Wait longer: the API is overloaded or limits the rate, and the agent tries again by itself.
    WaitForApi,
    /// Launch the agent with another credential: the API refuses this one.
    ReplaceCredential,
    /// Answer the agent's question of this name, safe to show.
    Answer(String),
    /// Look at the running tool, then wait or send a revision.
    LookAtTool(String),
    /// Free space on the disk of the cage.
    FreeDisk,
    /// Give the cage more memory, in a new cage.
    MoreMemory,
    /// Allow the cage more processes, in a new cage.
    MoreProcesses,
    /// Send a revision; the agent goes on with the same conversation.
    SendRevision,
    /// Launch the agent again.
    Launch,
    /// Look at the changes and bring them home, or ask for a revision.
    BringHome,
    /// Start the container.
    StartCage,
    /// Create the cage again.
    CreateAgain,
    /// It is not known what is wrong; look at the log.
    ReadLog,
}

impl Diagnosis {
    /// Says what was seen and what follows from it.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let status = Status::of(snapshot);
        let evidence = evidence(snapshot);
        let suggestion = suggest(&status.activity, &evidence);
        Self { status, evidence, suggestion }
    }

    /// A diagnosis of a cage that nothing can be run in.
    pub(super) fn without_look(status: Status, said: String) -> Self {
        let evidence = vec![Evidence::NoLook(said)];
        let suggestion = suggest(&status.activity, &evidence);
        Self { status, evidence, suggestion }
    }
}

fn evidence(snapshot: &Snapshot) -> Vec<Evidence> {
    let machine = &snapshot.machine;
    let message = snapshot.outbox.last().map(|(name, message)| Evidence::LastMessage {
        kind: shown(message.payload.type_name()),
        age: snapshot.age(name.instant()),
    });
    let memory = machine
        .memory_used
        .map(|used_bytes| Evidence::Memory { used_bytes, limit_bytes: machine.memory_limit });
    let processes = machine.processes.zip(machine.processes_limit);
    [
        message,
        snapshot.log.last().cloned().map(Evidence::LastEvent),
        running(snapshot.supervisor).map(|running| Evidence::Supervisor { running }),
        running(snapshot.agent).map(|running| Evidence::Agent { running }),
        memory,
        machine.out_of_memory_kills.filter(|kills| *kills > 0).map(|kills| Evidence::OutOfMemory { kills }),
        processes.map(|(count, limit)| Evidence::Processes { count, limit }),
        machine.disk_free.map(|free_bytes| Evidence::Disk { free_bytes }),
        machine.hooks_ran.map(|ran| Evidence::Hooks { ran }),
        api_errors(&snapshot.log),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn running(life: Life) -> Option<bool> {
    match life {
        Life::Running => Some(true),
        Life::Ended => Some(false),
        Life::Unknown => None,
    }
}

/// Counts the failures since the model last said something.
fn api_errors(log: &[LogEvent]) -> Option<Evidence> {
    let is_model = |event: &&LogEvent| !matches!(event, LogEvent::Text(_) | LogEvent::ToolUse { .. });
    let mut failures = log.iter().rev().take_while(is_model).filter_map(|event| match event {
        LogEvent::ApiRetry { status, error, .. } => Some((*status, error)),
        _ => None,
    });
    let (status, error) = failures.next()?;
    Some(Evidence::ApiErrors { status, error: error.clone(), count: 1 + failures.count() })
}

fn suggest(activity: &Activity, evidence: &[Evidence]) -> Suggestion {
    let obstacle = evidence.iter().find_map(obstacle);
    match activity {
        Activity::Gone => Suggestion::CreateAgain,
        Activity::Stopped | Activity::Paused => Suggestion::StartCage,
        Activity::WaitingForAnswer(request) => Suggestion::Answer(shown(&request.request_id)),
        Activity::Complete { .. } => Suggestion::BringHome,
        Activity::Starting | Activity::Working => obstacle.unwrap_or(Suggestion::Wait),
        Activity::Silent { .. } => obstacle.unwrap_or_else(|| about_silence(evidence)),
        Activity::Idle { listening, .. } => obstacle.unwrap_or(again(*listening)),
        Activity::Crashed { listening, .. } => {
            let killed = evidence.iter().any(|evidence| matches!(evidence, Evidence::OutOfMemory { .. }));
            obstacle.unwrap_or(if killed { Suggestion::MoreMemory } else { again(*listening) })
        }
        Activity::Unknown { .. } => obstacle.unwrap_or(Suggestion::ReadLog),
    }
}

/// Says what has to go before anything else helps.
fn obstacle(evidence: &Evidence) -> Option<Suggestion> {
    let used_up = |used: u64, limit: u64| used >= limit / 100 * USED_UP_PERCENT && limit > 0;
    match evidence {
        Evidence::Disk { free_bytes } if *free_bytes < DISK_FULL_BYTES => Some(Suggestion::FreeDisk),
        Evidence::Processes { count, limit } if used_up(*count, *limit) && *limit >= 100 => {
            Some(Suggestion::MoreProcesses)
        }
        Evidence::ApiErrors { status: Some(401 | 403), .. } => Some(Suggestion::ReplaceCredential),
        Evidence::ApiErrors { error, .. }
            if ["authentication_failed", "billing_error"].contains(&error.as_str()) =>
        {
            Some(Suggestion::ReplaceCredential)
        }
        Evidence::ApiErrors { .. } => Some(Suggestion::WaitForApi),
        _ => None,
    }
}

/// An agent that says nothing runs a tool, waits for its model, or hangs; only the first can be seen.
fn about_silence(evidence: &[Evidence]) -> Suggestion {
    evidence
        .iter()
        .find_map(|evidence| match evidence {
            Evidence::LastEvent(LogEvent::ToolUse { name, .. }) => Some(Suggestion::LookAtTool(name.clone())),
            _ => None,
        })
        .unwrap_or(Suggestion::ReadLog)
}

fn again(listening: bool) -> Suggestion {
    if listening { Suggestion::SendRevision } else { Suggestion::Launch }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status.activity)?;
        for evidence in &self.evidence {
            writeln!(f, "- {evidence}")?;
        }
        write!(f, "{}", self.suggestion)
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runs = |running: &bool| if *running { "runs" } else { "does not run" };
        let mib = |bytes: &u64| bytes / (1024 * 1024);
        match self {
            Self::LastMessage { kind, age } => {
                write!(f, "its last message is a {} from {} s ago", brief(kind), age.as_secs())
            }
            Self::LastEvent(event) => write!(f, "the last line of its log: {event}"),
            Self::Supervisor { running } => write!(f, "the supervisor {}", runs(running)),
            Self::Agent { running } => write!(f, "the agent's process {}", runs(running)),
            Self::Memory { used_bytes, limit_bytes: Some(limit) } => {
                write!(f, "{} of {} MiB of memory are in use", mib(used_bytes), mib(limit))
            }
            Self::Memory { used_bytes, limit_bytes: None } => {
                write!(f, "{} MiB of memory are in use, without a limit", mib(used_bytes))
            }
            Self::OutOfMemory { kills } => write!(f, "{kills} processes were killed for want of memory"),
            Self::Processes { count, limit } => write!(f, "{count} of {limit} processes"),
            Self::Disk { free_bytes } => write!(f, "{} MiB of disk are free", mib(free_bytes)),
            Self::Hooks { ran: true } => f.write_str("the hooks run"),
            Self::Hooks { ran: false } => f.write_str("the hooks have not run in this conversation"),
            Self::ApiErrors { count, status, error } => {
                let status = status.map(|status| format!("{status} ")).unwrap_or_default();
                write!(f, "the API failed {count} times in a row, at last with {status}{}", brief(error))
            }
            Self::NoLook(said) => f.write_str(said),
        }
    }
}

impl fmt::Display for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait => f.write_str("wait for its next message"),
            Self::WaitForApi => f.write_str("wait: the API fails and the agent tries again by itself"),
            Self::ReplaceCredential => {
                f.write_str("launch it with another credential: the API refuses this one")
            }
            Self::Answer(request) => write!(f, "answer its question `{}`", brief(request)),
            Self::LookAtTool(tool) => {
                write!(f, "look at what its tool {} does; it may just take long", brief(tool))
            }
            Self::FreeDisk => f.write_str("free space: its disk is full"),
            Self::MoreMemory => f.write_str("give it more memory: processes were killed for want of it"),
            Self::MoreProcesses => f.write_str("allow it more processes: it has used up its limit"),
            Self::SendRevision => {
                f.write_str("send a revision: the agent goes on with the same conversation")
            }
            Self::Launch => f.write_str("launch the agent"),
            Self::BringHome => f.write_str("look at its changes and bring them home, or ask for a revision"),
            Self::StartCage => f.write_str("start the cage"),
            Self::CreateAgain => f.write_str("create the cage again"),
            Self::ReadLog => f.write_str("it is not known what is wrong; read its log"),
        }
    }
}

#[cfg(test)]
mod tests {
    use cage_proto::agent::{Session, State};
    use cage_proto::message::ProgressUpdate;

    use super::*;
    use crate::watch::snapshot::testing::{message, moment};
    use crate::watch::snapshot::{Account, Machine};

    fn snapshot(state: State, quiet: i64) -> Snapshot {
        let mut session = Session::new("claude", moment(0).into());
        session.saw_session_id("9b2f");
        let session =
            Session { state, turn_open: true, turns: 1, last_activity: moment(1).into(), ..session };
        Snapshot {
            account: Account::Read(Box::new(session)),
            supervisor: Life::Running,
            agent: Life::Running,
            ..Snapshot::at(moment(quiet))
        }
    }

    fn retry(status: u64) -> LogEvent {
        LogEvent::ApiRetry { attempt: 1, status: Some(status), error: "overloaded".into() }
    }

    fn suggestion(snapshot: &Snapshot) -> String {
        Diagnosis::of(snapshot).suggestion.to_string()
    }

    #[test]
    fn lists_what_it_has_seen() {
        let mut snapshot = snapshot(State::Working, 30);
        snapshot.outbox = vec![message(20, ProgressUpdate::new("x"))];
        snapshot.log = vec![retry(529), retry(529)];
        snapshot.machine = Machine {
            memory_used: Some(512 << 20),
            memory_limit: Some(1 << 30),
            out_of_memory_kills: Some(1),
            processes: Some(7),
            processes_limit: Some(512),
            disk_free: Some(1 << 30),
            hooks_ran: Some(false),
        };
        insta::assert_snapshot!(Diagnosis::of(&snapshot), @r"
        working
        - its last message is a progress_update from 10 s ago
        - the last line of its log: the API answered 529 overloaded, try 1
        - the supervisor runs
        - the agent's process runs
        - 512 of 1024 MiB of memory are in use
        - 1 processes were killed for want of memory
        - 7 of 512 processes
        - 1024 MiB of disk are free
        - the hooks have not run in this conversation
        - the API failed 2 times in a row, at last with 529 overloaded
        wait: the API fails and the agent tries again by itself
        ");
    }

    #[test]
    fn names_what_is_in_the_way_before_anything_else() {
        let mut crashed = snapshot(State::Crashed, 30);
        assert_eq!(suggestion(&crashed), "send a revision: the agent goes on with the same conversation");
        crashed.machine.out_of_memory_kills = Some(1);
        assert_eq!(suggestion(&crashed), "give it more memory: processes were killed for want of it");
        crashed.log = vec![retry(401)];
        assert_eq!(suggestion(&crashed), "launch it with another credential: the API refuses this one");
        crashed.machine.disk_free = Some(0);
        assert_eq!(suggestion(&crashed), "free space: its disk is full");
    }

    #[test]
    fn forgets_failures_of_the_api_once_the_model_has_answered() {
        let mut snapshot = snapshot(State::Working, 30);
        snapshot.log = vec![retry(529), LogEvent::Text("hello".into())];
        assert_eq!(suggestion(&snapshot), "wait for its next message");
    }

    #[test]
    fn does_not_pretend_to_know_why_an_agent_is_silent() {
        let mut silent = snapshot(State::Working, 600);
        assert_eq!(suggestion(&silent), "it is not known what is wrong; read its log");
        silent.log = vec![LogEvent::ToolUse { id: "t".into(), name: "Bash".into(), input: "{}".into() }];
        assert_eq!(suggestion(&silent), "look at what its tool Bash does; it may just take long");
        silent.supervisor = Life::Ended;
        assert_eq!(suggestion(&silent), "launch the agent");
    }

    #[test]
    fn suggests_something_for_a_cage_that_cannot_be_looked_into() {
        for (activity, suggestion) in [
            (Activity::Gone, "create the cage again"),
            (Activity::Stopped, "start the cage"),
            (Activity::Paused, "start the cage"),
            (Activity::Unknown { why: "x".into() }, "it is not known what is wrong; read its log"),
        ] {
            let diagnosis = Diagnosis::without_look(Status::without_look(activity), "no".into());
            assert_eq!(diagnosis.suggestion.to_string(), suggestion);
        }
    }
}
