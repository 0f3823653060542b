//! The kinds of agents behind one enum.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use cage_proto::agent::Usage;
use cage_proto::mailbox::CageDir;

use super::claude::Claude;
use super::claude_read::ClaudeReader;
use super::command::{CommandAgent, CommandReader};
use crate::supervise::args::AgentKind;
use crate::supervise::machine::Ending;

/// An agent that can be supervised.
#[derive(Debug)]
pub(in crate::supervise) enum Agent {
    Claude(Claude),
    Command(CommandAgent),
}

/// How a program is started.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::supervise) struct Invocation {
    pub(in crate::supervise) program: OsString,
    pub(in crate::supervise) args: Vec<OsString>,
    pub(in crate::supervise) env: Vec<(&'static str, OsString)>,
    /// A file that must hold the instructions as well.
    pub(in crate::supervise) instructions_file: Option<std::path::PathBuf>,
}

/// Something learned from a line of the agent's output.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::supervise) enum Heard {
    /// The id of its conversation.
    Conversation(String),
    /// The model said or did something.
    Spoke,
    /// It uses a tool.
    Tool(String),
    /// What the turn cost.
    Cost { usd: f64, usage: Usage },
    /// It has trouble, but has not given up.
    Trouble(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::supervise) enum Ended {
    Code(i32),
    Signal(i32),
}

/// Why an agent's command line cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgentError {
    #[error("{option} cannot be combined with supervise: {why}")]
    Option { option: String, why: &'static str },
    #[error("there is a second prompt, `{second}`; quote the prompt, or leave it to --task-file")]
    TwoPrompts { second: String },
    #[error(
        "it is not known whether the word behind {option} is its value or the prompt; write {option}=VALUE, or put \
         the prompt first"
    )]
    Ambiguous { option: String },
}

/// Understands the output of one turn.
#[derive(Debug)]
pub(in crate::supervise) enum Reader {
    Claude(ClaudeReader),
    Command(CommandReader),
}

impl Agent {
    /// Understands an agent's command line. The first word is its program.
    pub(in crate::supervise) fn new(
        kind: Option<AgentKind>,
        mut command: Vec<OsString>,
        dir: &CageDir,
    ) -> Result<Self, AgentError> {
        let args = command.split_off(command.len().min(1));
        let program = command.pop().unwrap_or_default();
        let named_claude = Path::new(&program).file_name() == Some(OsStr::new("claude"));
        let default = if named_claude { AgentKind::Claude } else { AgentKind::Command };
        Ok(match kind.unwrap_or(default) {
            AgentKind::Claude => Self::Claude(Claude::new(program, args)?),
            AgentKind::Command => Self::Command(CommandAgent::new(program, args, dir)),
        })
    }

    /// Returns the name of its kind.
    pub(in crate::supervise) fn name(&self) -> &'static str {
        match self {
            Self::Claude(_) => "claude",
            Self::Command(_) => "command",
        }
    }

    /// Returns the task that stood on the command line.
    pub(in crate::supervise) fn prompt(&self) -> Option<&str> {
        match self {
            Self::Claude(claude) => claude.prompt(),
            Self::Command(_) => None,
        }
    }

    /// Tells whether it remembers the conversation when it is resumed.
    pub(in crate::supervise) fn remembers(&self) -> bool {
        matches!(self, Self::Claude(_))
    }

    /// Tells whether it should run our hooks.
    pub(in crate::supervise) fn has_hooks(&self) -> bool {
        matches!(self, Self::Claude(_))
    }

    /// Returns how to start it with a new conversation.
    pub(in crate::supervise) fn start(&self) -> Invocation {
        match self {
            Self::Claude(claude) => claude.start(),
            Self::Command(command) => command.run(),
        }
    }

    /// Returns how to start it in the conversation it had.
    pub(in crate::supervise) fn resume(&self, conversation: Option<&str>) -> Invocation {
        match (self, conversation) {
            (Self::Claude(claude), Some(conversation)) => claude.resume(conversation),
            (Self::Claude(claude), None) => claude.start(),
            (Self::Command(command), _) => command.run(),
        }
    }

    /// Begins to read the output of a turn.
    pub(in crate::supervise) fn reader(&self) -> Reader {
        match self {
            Self::Claude(_) => Reader::Claude(ClaudeReader::default()),
            Self::Command(_) => Reader::Command(CommandReader::default()),
        }
    }
}

impl Reader {
    /// Understands one line of stdout.
    pub(in crate::supervise) fn hear(&mut self, line: &[u8]) -> Vec<Heard> {
        match self {
            Self::Claude(reader) => reader.hear(line),
            Self::Command(reader) => reader.hear(line),
        }
    }

    /// Says how the turn ended; `tail` is the end of the log.
    pub(in crate::supervise) fn ending(&self, ended: Ended, tail: &str) -> Ending {
        match self {
            Self::Claude(reader) => reader.ending(ended, tail),
            Self::Command(reader) => reader.ending(ended, tail),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}
