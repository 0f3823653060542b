//! Keeps `session.json`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cage_proto::agent::{Session, State};
use cage_proto::env::{Clock as _, System};
use cage_proto::mailbox::CageDir;

use super::agents::Heard;
use super::child::Child;
use crate::files::{self, FileError};

/// Bytes of `session.json`.
const SESSION_BYTES_MAX: usize = 256 * 1024;

/// How often news that cannot wait for nobody are written down. A change of state is written at once.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// The state of the agent, in memory and in its file.
#[derive(Debug)]
pub(super) struct Status {
    path: PathBuf,
    pub(super) session: Session,
    stored: Instant,
    changed: bool,
}

/// Reads what an earlier supervisor wrote down. What cannot be understood is as good as nothing.
pub(super) fn read_earlier(dir: &CageDir) -> Option<Session> {
    let bytes = files::read(&dir.session_file(), SESSION_BYTES_MAX).ok().flatten()?;
    Session::parse(&bytes).ok()
}

impl Status {
    /// Begins to keep the state of an agent, from what an earlier supervisor knew about it.
    pub(super) fn new(dir: &CageDir, agent: &str, earlier: Option<Session>) -> Self {
        let now = System.now().into();
        let mut session = Session::new(agent, now);
        if let Some(earlier) = earlier.filter(|earlier| earlier.agent == agent) {
            let started_at = session.started_at;
            session = Session { started_at, pid: None, pid_start_ticks: None, ..earlier };
        }
        session.supervisor_pid = Some(std::process::id());
        Self { path: dir.session_file(), session, stored: Instant::now(), changed: true }
    }

    /// Forgets the conversation and its costs, for a new task.
    pub(super) fn begin_task(&mut self) {
        let fresh = Session::new(self.session.agent.clone(), self.session.started_at.clone());
        self.session = Session {
            supervisor_pid: self.session.supervisor_pid,
            task_key: self.session.task_key.take(),
            ..fresh
        };
    }

    pub(super) fn started(&mut self, child: &Child) {
        self.session.turns += 1;
        self.session.pid = Some(child.pid.as_raw_nonzero().get().unsigned_abs());
        self.session.pid_start_ticks = child.start_ticks;
        self.store();
    }

    pub(super) fn ended(&mut self) {
        self.session.pid = None;
        self.session.pid_start_ticks = None;
        self.changed = true;
    }

    pub(super) fn enter(&mut self, state: State, reason: Option<String>, turn_open: bool) {
        self.session.state = state;
        self.session.reason = reason;
        self.session.turn_open = turn_open;
        self.store();
    }

    /// Takes note of a line of output and what it says.
    pub(super) fn heard(&mut self, heard: &[Heard]) {
        self.session.last_activity = System.now().into();
        self.changed = true;
        for heard in heard {
            match heard {
                Heard::Conversation(id) => {
                    if self.session.saw_session_id(id) {
                        self.store();
                    }
                }
                Heard::Spoke => self.session.reason = None,
                Heard::Tool(name) => self.session.last_tool = Some(name.clone()),
                Heard::Cost { usd, usage } => {
                    self.session.cost_usd += usd;
                    self.session.usage += *usage;
                }
                Heard::Trouble(trouble) => self.session.reason = Some(trouble.clone()),
            }
        }
    }

    /// Returns when there is something to write down.
    pub(super) fn due(&self) -> Option<Instant> {
        self.changed.then(|| self.stored + STORE_INTERVAL)
    }

    /// Writes down what has changed. Without it the agent goes on all the same: only the host knows less.
    pub(super) fn store(&mut self) {
        self.stored = Instant::now();
        self.changed = false;
        if let Err(error) = self.try_store() {
            crate::output::complain(&crate::error::with_causes(&error));
        }
    }

    fn try_store(&self) -> Result<(), FileError> {
        files::replace(&self.path, &self.session.to_file_bytes())
    }
}
