//! The command line of `cage-poll hook`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Where the image keeps this program.
const PROGRAM: &str = "/usr/local/bin/cage-poll";

/// Where Claude Code looks for managed settings.
const MANAGED_SETTINGS: &str = "/etc/claude-code/managed-settings.json";

/// Answers a hook of Claude Code, or installs and checks the hooks
#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    pub(super) command: HookCommand,

    /// The message folder [default: `CAGE_DIR` from the environment, else `~/.cage`]
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum HookCommand {
    /// Records the session
    SessionStart,
    /// Records the beginning of a turn
    UserPromptSubmit,
    /// Records the end of a turn and hands over what is pending
    Stop,
    /// Reports that the API failed
    StopFailure,
    /// Touches the heartbeat and hands over what is pending
    PostToolUse,
    /// Notes that all tool calls of one message are done
    PostToolBatch,
    /// Prints the managed settings that install the hooks
    Settings(SettingsArgs),
    /// Proves that program, settings and hooks of this image work together
    Check(CheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct SettingsArgs {
    /// Where this program will be found
    #[arg(long, value_name = "PATH", default_value = PROGRAM)]
    pub(super) program: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The program that the settings must name
    #[arg(long, value_name = "PATH", default_value = PROGRAM)]
    pub(super) program: PathBuf,

    /// The managed settings
    #[arg(long, value_name = "FILE", default_value = MANAGED_SETTINGS)]
    pub(super) settings: PathBuf,

    /// The agent that must fire the hooks
    #[arg(long, value_name = "PROGRAM", default_value = "claude")]
    pub(super) agent: PathBuf,
}
