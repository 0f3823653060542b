//! The command line of `cage-poll supervise`.

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use cage_proto::schedule::Schedule;
use clap::{Args, ValueEnum};

use crate::args::seconds;

/// Runs an agent, tells the host what becomes of it, and waits for the next instruction
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 ended as planned · 1 another supervisor is running here · 2 usage, or the agent \
                        cannot be started · 74 storage error"
)]
pub(crate) struct SuperviseArgs {
    /// How long to wait for a message after each turn, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "7200", value_parser = seconds)]
    pub(super) timeout: Duration,

    /// When to look into the inbox where the file system sends no events: `every:until` in seconds
    #[arg(long, value_name = "STEPS", default_value = "10:900,30:3600,60:7200")]
    pub(super) schedule: Schedule,

    /// Turns that may be run before it goes idle [default: no limit]
    #[arg(long, value_name = "N")]
    pub(super) max_turns: Option<NonZeroU64>,

    /// The log of the agent's output [default: claude-stream.log in the message folder]
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,

    /// The task; a launch with the same file goes on where the last one was cut off
    #[arg(long, value_name = "FILE")]
    pub(super) task_file: Option<PathBuf>,

    /// What kind of agent it is [default: claude if the program has that name, else command]
    #[arg(long, value_name = "KIND")]
    pub(super) agent: Option<AgentKind>,

    /// How long the agent may take to end when it is told to, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(super) grace: Duration,

    /// How long to wait before each retry after a failure that may pass, in seconds
    #[arg(long, value_name = "LIST", default_value = "5,20,60", value_delimiter = ',', value_parser = seconds)]
    pub(super) retry_after: Vec<Duration>,

    /// The message folder [default: `CAGE_DIR` from the environment, else `~/.cage`]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,

    /// The agent's command line
    #[arg(last = true, required = true, value_name = "AGENT COMMAND")]
    pub(super) command: Vec<OsString>,
}

/// A kind of agent that can be supervised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum AgentKind {
    /// Claude Code
    Claude,
    /// Any program: it reads its instructions from stdin, or from the file that `CAGE_INSTRUCTIONS` names
    Command,
}
