//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use cage_proto::limits::ASKED_TIME_MAX;
use cage_proto::mailbox::{CageDir, ConsumerName, EntryName, InvalidEntryName, Mailbox, NoHome};
use cage_proto::schedule::Schedule;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Parser, Subcommand};

use crate::hook::HookArgs;
use crate::supervise::SuperviseArgs;

const EXIT_CODES: &str = "Exit codes: 0 message · 1 time-out · 2 usage · 74 storage error";

/// Waits for the next message, prints it and moves the cursor
#[derive(Debug, Parser)]
#[command(name = "cage-poll", version, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) poll: PollArgs,
}

/// What else this program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Supervise(Box<SuperviseArgs>),
    Hook(HookArgs),
    /// Prints how an agent is to report; appended to each task
    Instructions,
}

/// What a plain `cage-poll` does.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
pub(crate) struct PollArgs {
    /// How long to wait, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "7200", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// When to look again where the file system sends no events: `every:until` in seconds
    #[arg(long, value_name = "STEPS", default_value = "10:900,30:3600,60:7200")]
    pub(crate) schedule: Schedule,

    /// The mailbox to read
    #[arg(long, default_value = "inbox", value_parser = mailbox())]
    pub(crate) mailbox: Mailbox,

    /// The consumer whose cursor is used and moved, a name for one mailbox alone [default: the mailbox's name]
    #[arg(long, value_name = "NAME", conflicts_with = "since")]
    consumer: Option<ConsumerName>,

    /// The message folder [default: `CAGE_DIR` from the environment, else `~/.cage`]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Print everything that is pending, one message a line, without waiting
    #[arg(long, conflicts_with_all = ["follow", "reply_to"])]
    pub(crate) all: bool,

    /// Print every message as it comes, one line each, and never end
    #[arg(long, conflicts_with_all = ["peek", "reply_to"])]
    pub(crate) follow: bool,

    /// Start behind this name, or at the `beginning`, and leave the cursor alone
    #[arg(long, value_name = "NAME", conflicts_with_all = ["peek", "reply_to"])]
    pub(crate) since: Option<Since>,

    /// Leave the cursor where it is
    #[arg(long)]
    pub(crate) peek: bool,

    /// Wait for the `info_response` to this request, ahead of other messages
    #[arg(long, value_name = "REQUEST_ID", conflicts_with = "peek")]
    pub(crate) reply_to: Option<String>,

    /// Do not send `going_idle` when the time is up
    #[arg(long)]
    pub(crate) no_going_idle: bool,

    /// How often `--follow` says that it is alive, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = heartbeat)]
    pub(crate) heartbeat: Duration,
}

/// The name behind which to start; nothing stands for the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Since(pub(crate) Option<EntryName>);

impl std::str::FromStr for Since {
    type Err = InvalidEntryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "beginning" {
            Ok(Self(None))
        } else {
            EntryName::from_cursor(text).map(|name| Self(Some(name)))
        }
    }
}

impl PollArgs {
    pub(crate) fn cage_dir(&self) -> Result<CageDir, NoHome> {
        CageDir::find(self.dir.clone())
    }

    pub(crate) fn consumer(&self) -> ConsumerName {
        self.consumer.clone().unwrap_or_else(|| ConsumerName::of(self.mailbox))
    }
}

fn mailbox() -> impl clap::builder::TypedValueParser<Value = Mailbox> {
    PossibleValuesParser::new(Mailbox::ALL.map(Mailbox::name)).try_map(|name| name.parse())
}

/// Reads a duration in whole seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let asked = text.parse().map(Duration::from_secs).ok().filter(|asked| *asked <= ASKED_TIME_MAX);
    asked.ok_or_else(|| format!("not a whole number of seconds up to {}", ASKED_TIME_MAX.as_secs()))
}

fn heartbeat(text: &str) -> Result<Duration, String> {
    seconds(text).and_then(|every| {
        if every.is_zero() { Err("must be at least 1 second".to_owned()) } else { Ok(every) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_parser_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn rejects_flags_that_contradict_each_other() {
        for flags in [
            ["--all", "--follow"],
            ["--follow", "--peek"],
            ["--all", "--reply-to=r"],
            ["--since=beginning", "--consumer=x"],
        ] {
            assert!(Args::try_parse_from(["cage-poll"].iter().chain(&flags)).is_err(), "{flags:?}");
        }
    }

    #[test]
    fn rejects_a_time_that_is_no_whole_number_of_seconds() {
        for text in ["", "-1", "1.5", "604801", "soon"] {
            assert!(seconds(text).is_err(), "{text}");
        }
        assert!(heartbeat("0").is_err());
    }
}
