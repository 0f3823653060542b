//! Carries actions out and brings events in, one at a time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cage_proto::exit_code::Exit;
use cage_proto::mailbox::{CageDir, Mailbox};
use cage_proto::message::ErrorReport;
use cage_proto::schedule::Schedule;
use rustix::process::Signal;

use super::agents::{Agent, Ended, Heard, Reader};
use super::args::SuperviseArgs;
use super::child::Child;
use super::error::SuperviseError;
use super::events::{self, Event};
use super::lock::Lock;
use super::log::Log;
use super::machine::{Action, Arrival, Cause, Crash, Ending, Input, Machine, Opening, Outcome, Rules, Timer};
use super::opening::opening;
use super::outbox::Outbox;
use super::status::{self, Status};
use super::task::{self, Task};
use super::timers::Timers;
use super::{orphans, texts};
use crate::delivery::{Bearer, Desk, Parcel, Proof, Strictness, TURN_CHARS_MAX};
use crate::error::with_causes;
use crate::files::FileError;
use crate::output;

/// How long the output of an agent that has ended may still come. Processes that it left behind can hold its pipe open
/// for ever; a crash must be reported within two seconds.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);

/// How long another program may be at the inbox. It is there for milliseconds, or was stopped in the middle.
const INBOX_PATIENCE: Duration = Duration::from_secs(5);

/// A supervisor at work.
struct Supervisor {
    dir: CageDir,
    agent: Agent,
    machine: Machine,
    schedule: Schedule,
    status: Status,
    desk: Desk,
    outbox: Outbox,
    log: Arc<Mutex<Log>>,
    sender: SyncSender<Event>,
    timers: Timers<Due>,
    /// Counts the agent's processes, so that late output of an earlier one is told apart.
    turn: u64,
    running: Option<Running>,
    waiting_since: Option<Instant>,
    outcome: Option<Outcome>,
}

/// The agent's process and what it has said.
struct Running {
    child: Child,
    reader: Reader,
    ended: Option<Ended>,
    /// Whether all of its output has been read.
    quiet: bool,
}

/// What can be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Machine(Timer),
    /// The output of an agent that has ended is waited for no longer.
    Output,
    /// The inbox is to be looked at, for file systems that send no events.
    Inbox,
}

/// Runs the agent until there is nothing more to do.
pub(crate) fn run(args: &SuperviseArgs) -> Result<Exit, SuperviseError> {
    let dir = CageDir::find(args.dir.clone())?;
    // The agent is told where it is, and may go elsewhere.
    let dir = std::path::absolute(dir.path()).map_or(dir, CageDir::new);
    let agent = Agent::new(args.agent, args.command.clone(), &dir)?;
    let task = task::read(args.task_file.as_deref(), agent.prompt())?;
    let desk = Desk::open(&dir)?;
    let _lock = Lock::take(&dir.supervisor_lock())?;
    let (sender, events) = sync_channel(events::EVENTS_MAX);
    orphans::adopt();
    events::watch_signals(sender.clone()).map_err(SuperviseError::Signals)?;
    events::watch_inbox(&dir.mailbox(Mailbox::Inbox), sender.clone());
    let (mut supervisor, opening) = Supervisor::new(args, dir, agent, task, desk, sender)?;
    let outcome = supervisor.run(opening, &events);
    orphans::end_all();
    match outcome? {
        Outcome::Planned => Ok(Exit::Ok),
        Outcome::CannotStart => Ok(Exit::Usage),
    }
}

fn rules(args: &SuperviseArgs, agent: &Agent) -> Rules {
    Rules {
        timeout: args.timeout,
        max_turns: args.max_turns.map(Into::into),
        retry_after: args.retry_after.clone(),
        grace: args.grace,
        remembers: agent.remembers(),
        has_hooks: agent.has_hooks(),
    }
}

/// Goes on without what failed: the agent's work matters more. What could not be read counts as nothing there, and what
/// could not be written down is handed over again.
fn or_go_on<T: Default, E: std::error::Error>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| {
        output::complain(&with_causes(&error));
        T::default()
    })
}

impl Supervisor {
    fn new(
        args: &SuperviseArgs,
        dir: CageDir,
        agent: Agent,
        task: Option<Task>,
        mut desk: Desk,
        sender: SyncSender<Event>,
    ) -> Result<(Self, Opening), SuperviseError> {
        let earlier = status::read_earlier(&dir);
        if earlier.as_ref().is_some_and(orphans::end_agent_of) {
            output::complain("ended the agent of an earlier supervisor");
        }
        // Whatever an earlier agent was handed and did not go on with is handed over again.
        desk.withdraw_except(&[], INBOX_PATIENCE)?;
        let key = task.as_ref().map(|task| task.key.text());
        let opening = opening(earlier.as_ref(), agent.name(), task);
        let mut status = Status::new(&dir, agent.name(), earlier);
        status.session.task_key = key.or(status.session.task_key);
        if matches!(opening, Opening::Task(_)) {
            status.begin_task();
        }
        let log = args.log.clone().unwrap_or_else(|| dir.stream_log());
        let log = Log::open(log.clone()).map_err(|error| FileError::new("open the log", &log, error))?;
        let outbox = Outbox::open(&dir)?;
        let supervisor = Self {
            dir,
            machine: Machine::new(rules(args, &agent)),
            agent,
            schedule: args.schedule.clone(),
            status,
            desk,
            outbox,
            log: Arc::new(Mutex::new(log)),
            sender,
            timers: Timers::new(),
            turn: 0,
            running: None,
            waiting_since: None,
            outcome: None,
        };
        Ok((supervisor, opening))
    }

    fn run(&mut self, opening: Opening, events: &Receiver<Event>) -> Result<Outcome, SuperviseError> {
        self.step(Input::Begin(opening))?;
        loop {
            self.take_due()?;
            if let Some(outcome) = self.outcome {
                return Ok(outcome);
            }
            let next = self.timers.next().into_iter().chain(self.status.due()).min();
            let event = match next {
                Some(next) => events.recv_timeout(next.saturating_duration_since(Instant::now())),
                None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            // This end holds a sender too, so the channel is never closed.
            if let Ok(event) = event {
                self.take(event)?;
            }
        }
    }

    /// Does what is due by now.
    fn take_due(&mut self) -> Result<(), SuperviseError> {
        let now = Instant::now();
        if self.status.due().is_some_and(|due| due <= now) {
            self.status.store();
        }
        while let Some(due) = self.timers.take_due(now) {
            match due {
                Due::Machine(timer) => self.step(Input::Elapsed(timer))?,
                Due::Output => self.end_turn(true)?,
                Due::Inbox => self.look_into_inbox()?,
            }
        }
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), SuperviseError> {
        match event {
            Event::Line(turn, line) if turn == self.turn => self.hear(&line),
            Event::Quiet(turn) if turn == self.turn => {
                if let Some(running) = &mut self.running {
                    running.quiet = true;
                }
                self.end_turn(false)
            }
            Event::InboxChanged if self.waiting_since.is_some() => self.look_into_inbox(),
            Event::ChildEnded => self.reap(),
            Event::Terminate => self.step(Input::Terminate),
            // Output of processes that an earlier agent left behind, and messages for which hooks look.
            Event::Line(..) | Event::Quiet(_) | Event::InboxChanged => Ok(()),
        }
    }

    /// Hands one input to the machine and carries out what it says, and what follows from that.
    fn step(&mut self, input: Input) -> Result<(), SuperviseError> {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.machine.step(input) {
                inputs.extend(self.carry_out(action)?);
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, action: Action) -> Result<Option<Input>, SuperviseError> {
        match action {
            Action::Start(text) => return Ok(self.start(&text, true)),
            Action::Resume(text) => return Ok(self.start(&text, false)),
            Action::WatchInbox => {
                self.waiting_since = Some(Instant::now());
                return Ok(self.pending());
            }
            Action::Arrived(arrival) => {
                let proof = match arrival {
                    Arrival::Answered => Proof::Spoke,
                    Arrival::EndedTurn => Proof::EndedTurn,
                };
                or_go_on(self.desk.settle(proof, INBOX_PATIENCE));
            }
            Action::Withdraw => or_go_on(self.desk.withdraw_except(&[], INBOX_PATIENCE)),
            Action::Report { error_type, message, recoverable } => {
                self.report(error_type, message, recoverable);
            }
            Action::LookForHooks => self.look_for_hooks(),
            Action::GoIdle(reason) => {
                let waited = self.waiting_since.map(|since| since.elapsed()).unwrap_or_default();
                self.outbox.go_idle(reason, waited).map_err(SuperviseError::GoingIdle)?;
            }
            Action::Set(timer, after) => self.timers.set(Due::Machine(timer), after),
            Action::Clear(timer) => self.timers.clear(Due::Machine(timer)),
            Action::Enter { state, reason, turn_open } => self.status.enter(state, reason, turn_open),
            Action::Interrupt => self.signal(Signal::TERM),
            Action::Kill => self.signal(Signal::KILL),
            Action::Exit(outcome) => self.outcome = Some(outcome),
        }
        Ok(None)
    }

    fn signal(&self, signal: Signal) {
        if let Some(running) = &self.running {
            running.child.signal(signal);
        }
    }

    /// Starts the agent with a text and what is pending in the inbox.
    fn start(&mut self, text: &str, anew: bool) -> Option<Input> {
        self.waiting_since = None;
        self.timers.clear(Due::Inbox);
        or_go_on(self.outbox.skip());
        let parcel = self.hand_over();
        let text = task::join(text, &parcel.text);
        let text = if text.is_empty() { texts::GO_ON } else { &text };
        let invocation =
            if anew { self.agent.start() } else { self.agent.resume(self.status.session.session_id()) };
        self.turn += 1;
        events::lock(&self.log).forget_tail();
        match Child::start(&invocation, text, &self.dir) {
            Ok((child, output)) => {
                events::watch_output(self.turn, output, &self.log, self.sender.clone());
                self.status.started(&child);
                let reader = self.agent.reader();
                self.running = Some(Running { child, reader, ended: None, quiet: false });
                None
            }
            Err(error) => {
                let program = invocation.program.to_string_lossy().into_owned();
                let reason = format!("the agent cannot be started: {program}: {error}");
                output::complain(&reason);
                let ending = Ending::Crashed(Crash { reason, cause: Cause::CannotStart });
                let reported = or_go_on(self.outbox.reported());
                Some(Input::TurnOver { ending, reported })
            }
        }
    }

    /// Understands a line of the agent's output.
    fn hear(&mut self, line: &[u8]) -> Result<(), SuperviseError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let heard = running.reader.hear(line);
        self.status.heard(&heard);
        for heard in heard {
            match heard {
                Heard::Conversation(_) => self.step(Input::Conversation)?,
                Heard::Spoke => self.step(Input::Spoke)?,
                Heard::Tool(_) | Heard::Cost { .. } | Heard::Trouble(_) => {}
            }
        }
        Ok(())
    }

    /// Takes note of children that have ended: the agent, or processes that it left behind.
    fn reap(&mut self) -> Result<(), SuperviseError> {
        for (pid, ended) in orphans::reap() {
            if let Some(running) = self.running.as_mut().filter(|running| running.child.pid == pid) {
                running.ended = Some(ended);
                if ended != Ended::Code(0) {
                    // Nobody is left who knows of the commands that were running, and they hold its output open.
                    running.child.signal(Signal::KILL);
                }
                self.timers.set(Due::Output, OUTPUT_GRACE);
                self.end_turn(false)?;
            }
        }
        Ok(())
    }

    /// Ends the turn once the agent has ended and its output has been read, or is waited for no longer.
    fn end_turn(&mut self, impatient: bool) -> Result<(), SuperviseError> {
        let over = self.running.take_if(|running| running.ended.is_some() && (running.quiet || impatient));
        let Some((running, ended)) = over.and_then(|running| running.ended.map(|ended| (running, ended)))
        else {
            return Ok(());
        };
        self.timers.clear(Due::Output);
        let tail = {
            let mut log = events::lock(&self.log);
            if let Err(error) = log.end_turn() {
                output::complain(&format!("could not write the log: {error}"));
            }
            log.tail()
        };
        self.status.ended();
        let ending = running.reader.ending(ended, &tail);
        let reported = or_go_on(self.outbox.reported());
        self.step(Input::TurnOver { ending, reported })
    }

    fn hand_over(&mut self) -> Parcel {
        or_go_on(self.desk.hand_over(Bearer::Turn, TURN_CHARS_MAX, Strictness::ClearAway, INBOX_PATIENCE))
    }

    /// Takes what is pending, and sees to it that someone looks again.
    fn pending(&mut self) -> Option<Input> {
        let parcel = self.hand_over();
        let waited = self.waiting_since.map(|since| since.elapsed()).unwrap_or_default();
        let next = self.schedule.delay_after(waited);
        self.timers.set(Due::Inbox, parcel.unfinished.map_or(next, |patience| patience.min(next)));
        (!parcel.text.is_empty()).then_some(Input::Inbox(parcel.text))
    }

    fn look_into_inbox(&mut self) -> Result<(), SuperviseError> {
        match self.pending() {
            Some(input) => self.step(input),
            None => Ok(()),
        }
    }

    fn look_for_hooks(&mut self) {
        let session = self.status.session.session_id();
        if !session.is_some_and(|id| crate::hook::has_started(&self.dir, id)) {
            self.report("hooks_not_running", texts::HOOKS_NOT_RUNNING.to_owned(), true);
        }
    }

    /// Tells the host. What cannot be told is at least said here; the agent's work goes on.
    fn report(&self, error_type: &str, message: String, recoverable: bool) {
        if let Err(error) = self.outbox.report(ErrorReport::new(error_type, message, recoverable)) {
            output::complain(&format!("could not report {error_type}: {}", with_causes(&error)));
        }
    }
}
