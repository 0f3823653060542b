//! Decides what happens next.

use std::time::Duration;

use cage_proto::agent::State;

use super::action::{Action, Arrival, Outcome};
use super::input::{Cause, Crash, Ending, Input, Opening, Reported, Timer};
use crate::supervise::texts;

/// Turns without a report that an agent may end in a row: the first brings it a reminder, the second is reported.
const SILENT_ENDINGS_MAX: u32 = 2;

/// How long after the start of a conversation the session-start hook must have run. It runs before that.
pub(super) const HOOKS_GRACE: Duration = Duration::from_secs(5);

/// Decides what a supervisor does.
#[derive(Debug)]
pub(in crate::supervise) struct Machine {
    rules: Rules,
    phase: Phase,
    /// Whether there is a conversation that can be resumed.
    begun: bool,
    /// Whether the last instruction still waits for its report.
    turn_open: bool,
    /// The task, for an agent that has lost its conversation.
    task: Option<String>,
    /// Whether the hooks were looked for since the launch.
    hooks: Hooks,
    turns: u64,
    silent_endings: u32,
    failures: usize,
}

/// What was asked for on the command line, and what kind of agent it is.
#[derive(Debug, Clone)]
pub(in crate::supervise) struct Rules {
    /// How long to wait for a message after a turn.
    pub(in crate::supervise) timeout: Duration,
    /// Turns that may be run in this launch.
    pub(in crate::supervise) max_turns: Option<u64>,
    /// How long to wait before each retry; as many retries as there are entries.
    pub(in crate::supervise) retry_after: Vec<Duration>,
    /// How long the agent may take to end when it is told to.
    pub(in crate::supervise) grace: Duration,
    /// Whether the agent remembers the conversation when it is resumed.
    pub(in crate::supervise) remembers: bool,
    /// Whether the agent should run our hooks.
    pub(in crate::supervise) has_hooks: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has begun.
    New,
    /// The agent works on this.
    Working(Instruction),
    /// The agent failed for a reason that may pass, and will be given this again.
    BackingOff(Instruction),
    /// The turn is over.
    Waiting,
    /// The agent was told to end.
    Stopping,
    /// Nothing more is to be done.
    Over,
}

/// What the agent was told, and whether it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Instruction {
    /// Without the messages of the inbox, which are handed over again by themselves.
    text: String,
    spoke: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hooks {
    Unknown,
    /// A timer runs.
    Expected,
    LookedFor,
}

impl Machine {
    pub(in crate::supervise) fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::New,
            begun: false,
            turn_open: false,
            task: None,
            hooks: Hooks::Unknown,
            turns: 0,
            silent_endings: 0,
            failures: 0,
        }
    }

    /// Takes one event and says what to do, in this order.
    pub(in crate::supervise) fn step(&mut self, input: Input) -> Vec<Action> {
        match input {
            Input::Begin(opening) => self.begin(opening),
            Input::Conversation => self.conversation(),
            Input::Spoke => self.spoke(),
            Input::TurnOver { ending, reported } => self.turn_over(ending, reported),
            Input::Inbox(text) => self.inbox(text),
            Input::Elapsed(timer) => self.elapsed(timer),
            Input::Terminate => self.terminate(),
        }
    }

    fn begin(&mut self, opening: Opening) -> Vec<Action> {
        match opening {
            Opening::Task(text) => {
                self.task = Some(text.clone());
                self.work(text)
            }
            Opening::GoOn { task, conversation } => {
                self.begun = conversation;
                self.task.clone_from(&task);
                match task {
                    Some(task) if !(conversation && self.rules.remembers) => self.work(task),
                    _ if conversation => self.work(texts::GO_ON.to_owned()),
                    _ => self.wait(),
                }
            }
            Opening::Wait { conversation } => {
                self.begun = conversation;
                self.wait()
            }
        }
    }

    /// Gives the agent something to do.
    fn work(&mut self, text: String) -> Vec<Action> {
        let instruction = Instruction { text: text.clone(), spoke: false };
        self.run(instruction, text)
    }

    fn run(&mut self, instruction: Instruction, text: String) -> Vec<Action> {
        self.turns += 1;
        self.turn_open = true;
        self.phase = Phase::Working(instruction);
        let enter = self.enter(State::Working, None);
        vec![enter, if self.begun { Action::Resume(text) } else { Action::Start(text) }]
    }

    fn conversation(&mut self) -> Vec<Action> {
        self.begun = true;
        if self.rules.has_hooks && self.hooks == Hooks::Unknown {
            self.hooks = Hooks::Expected;
            return vec![Action::Set(Timer::Hooks, HOOKS_GRACE)];
        }
        Vec::new()
    }

    fn spoke(&mut self) -> Vec<Action> {
        match &mut self.phase {
            Phase::Working(instruction) if !instruction.spoke => {
                instruction.spoke = true;
                vec![Action::Arrived(Arrival::Answered)]
            }
            _ => Vec::new(),
        }
    }

    fn turn_over(&mut self, ending: Ending, reported: Reported) -> Vec<Action> {
        let mut actions = self.look_for_hooks();
        if reported == Reported::Complete {
            self.turn_open = false;
        }
        actions.push(match &ending {
            Ending::Finished { .. } => Action::Arrived(Arrival::EndedTurn),
            Ending::Crashed(_) => Action::Withdraw,
        });
        actions.extend(match (std::mem::replace(&mut self.phase, Phase::Over), ending) {
            (Phase::Working(_), Ending::Finished { last_words }) => self.finished(&last_words, reported),
            (Phase::Working(instruction), Ending::Crashed(crash)) => self.crashed(instruction, crash),
            (_, _) => self.stopped(),
        });
        actions
    }

    fn finished(&mut self, last_words: &str, reported: Reported) -> Vec<Action> {
        self.failures = 0;
        if reported != Reported::Nothing {
            self.silent_endings = 0;
            return self.wait();
        }
        self.silent_endings += 1;
        if self.silent_endings < SILENT_ENDINGS_MAX && self.may_work() {
            return self.work(texts::REMINDER.to_owned());
        }
        self.silent_endings = 0;
        let message = texts::ended_silently(last_words);
        let report = Action::Report { error_type: "agent_ended_silently", message, recoverable: true };
        [report].into_iter().chain(self.wait()).collect()
    }

    fn crashed(&mut self, mut instruction: Instruction, crash: Crash) -> Vec<Action> {
        let recoverable = crash.cause != Cause::CannotStart;
        let report =
            Action::Report { error_type: "agent_crashed", message: crash.reason.clone(), recoverable };
        let mut actions = vec![report];
        if crash.cause == Cause::ConversationLost {
            self.begun = false;
            instruction = Instruction { text: texts::begin_again(self.task.as_deref()), spoke: false };
        }
        let retry = match crash.cause {
            Cause::Transient | Cause::ConversationLost if self.may_work() => {
                self.rules.retry_after.get(self.failures).copied()
            }
            _ => None,
        };
        match retry {
            Some(delay) => {
                self.failures += 1;
                self.phase = Phase::BackingOff(instruction);
                actions.push(self.enter(State::Working, Some(texts::retrying(delay, &crash.reason))));
                actions.push(Action::Set(Timer::Retry, delay));
            }
            None if crash.cause == Cause::CannotStart => {
                actions.push(self.enter(State::Crashed, Some(crash.reason)));
                actions.push(Action::Exit(Outcome::CannotStart));
            }
            None => {
                self.failures = 0;
                actions.extend(self.wait_as(State::Crashed, Some(crash.reason)));
            }
        }
        actions
    }

    fn wait(&mut self) -> Vec<Action> {
        self.wait_as(State::Waiting, None)
    }

    fn wait_as(&mut self, state: State, reason: Option<String>) -> Vec<Action> {
        if !self.may_work() {
            return self.go_idle(texts::turns_used_up(self.turns));
        }
        self.phase = Phase::Waiting;
        vec![self.enter(state, reason), Action::Set(Timer::Wait, self.rules.timeout), Action::WatchInbox]
    }

    fn may_work(&self) -> bool {
        self.rules.max_turns.is_none_or(|max| self.turns < max)
    }

    fn inbox(&mut self, text: String) -> Vec<Action> {
        if self.phase != Phase::Waiting {
            return Vec::new();
        }
        self.silent_endings = 0;
        let instruction = Instruction { text: String::new(), spoke: false };
        [Action::Clear(Timer::Wait)].into_iter().chain(self.run(instruction, text)).collect()
    }

    fn elapsed(&mut self, timer: Timer) -> Vec<Action> {
        match (timer, &self.phase) {
            (Timer::Hooks, _) => self.look_for_hooks(),
            (Timer::Wait, Phase::Waiting) => self.go_idle(texts::NOTHING_CAME.to_owned()),
            (Timer::Grace, Phase::Stopping) => vec![Action::Kill],
            (Timer::Retry, Phase::BackingOff(instruction)) => {
                let go_on = instruction.spoke && self.begun && self.rules.remembers;
                let text = if go_on { texts::GO_ON.to_owned() } else { instruction.text.clone() };
                self.work(text)
            }
            _ => Vec::new(),
        }
    }

    fn look_for_hooks(&mut self) -> Vec<Action> {
        if self.hooks != Hooks::Expected {
            return Vec::new();
        }
        self.hooks = Hooks::LookedFor;
        vec![Action::Clear(Timer::Hooks), Action::LookForHooks]
    }

    fn go_idle(&mut self, reason: String) -> Vec<Action> {
        self.phase = Phase::Over;
        let enter = self.enter(State::Idle, Some(reason.clone()));
        vec![Action::GoIdle(reason), enter, Action::Exit(Outcome::Planned)]
    }

    fn terminate(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Working(_) => {
                self.phase = Phase::Stopping;
                vec![Action::Interrupt, Action::Set(Timer::Grace, self.rules.grace)]
            }
            // Whoever asks twice does not want to wait.
            Phase::Stopping => vec![Action::Kill],
            Phase::Over => Vec::new(),
            Phase::New | Phase::BackingOff(_) | Phase::Waiting => self.stopped(),
        }
    }

    fn stopped(&mut self) -> Vec<Action> {
        self.phase = Phase::Over;
        let (state, reason) = if self.turn_open {
            (State::Idle, texts::STOPPED_IN_A_TURN)
        } else {
            (State::Done, texts::STOPPED)
        };
        vec![self.enter(state, Some(reason.to_owned())), Action::Exit(Outcome::Planned)]
    }

    fn enter(&self, state: State, reason: Option<String>) -> Action {
        Action::Enter { state, reason, turn_open: self.turn_open }
    }
}
