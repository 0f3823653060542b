//! The command line as it is typed. What each command needs of it is decided in its own file.

use std::ffi::OsString;

use clap::{ColorChoice, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    add_dir, answer, auth, branch, copies, create, destroy, diagnose, diff, doctor, export, gc, generate,
    image, inbox, init, interactive, launch, list, logs, outbox, patch, remove_dir, report, run, salvage,
    stop, sync, watch,
};
use crate::exit;

/// Run AI coding agents in disposable containers, and talk with them
#[derive(Debug, Parser)]
#[command(name = "cage", version, after_help = exit::TABLE, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// Print JSON: one answer, or one line for each message
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Every command there is.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prepare this machine: the folder that remembers what was read, and what is still missing
    Init(init::Args),
    /// Create a cage with a copy of a project
    Create(create::Args),
    /// Say by the exit code whether a cage exists
    Exists(list::ExistsArgs),
    /// List all cages
    List(list::Args),
    /// The whole way: create, launch, show messages, ask, export, destroy
    Run(run::Args),
    /// Start the agent on a task
    Launch(launch::Args),
    /// Show the screen of an interactive agent, which is started if there is none
    Attach(interactive::AttachArgs),
    /// Type a prompt into an interactive agent, and print what it says at the end of its turn
    Prompt(interactive::PromptArgs),
    /// Show what the agent prints
    Logs(logs::Args),
    /// Read the agent's messages, or wait until it is done
    Outbox(outbox::Args),
    /// Send the agent a message
    Inbox(inbox::Args),
    /// Answer the agent's question with files
    Answer(answer::Args),
    /// Show what the agent changed
    Diff(diff::Args),
    /// Write what the agent changed into a folder
    Export(export::Args),
    /// Make a branch of the agent's commits, in a repository of this machine
    Branch(branch::Args),
    /// Write the agent's commits as patches, to be read or for git am
    Patch(patch::Args),
    /// Watch all cages on one screen
    Watch(watch::Args),
    /// Say what a run was like, or compare two
    Report(report::Args),
    /// Bring into a cage what changed on this machine
    Sync(sync::Args),
    /// Copy another folder into a cage, beside its project
    AddDir(add_dir::Args),
    /// Remove such a folder from a cage
    RemoveDir(remove_dir::Args),
    /// Remove caches from the project in a cage
    Tidy(sync::TidyArgs),
    /// Keep the state of a cage
    Snapshot(copies::SnapshotArgs),
    /// List what was kept, or remove some of it
    Snapshots(copies::SnapshotsArgs),
    /// Make another cage of a cage or of a snapshot
    Fork(copies::ForkArgs),
    /// Say what a cage does, and what to do about it
    Diagnose(diagnose::Args),
    /// End the agent and everything else in a cage; its files stay
    Stop(stop::StopArgs),
    /// Let a stopped or paused cage go on
    Start(stop::StartArgs),
    /// Bring home what is in a cage that does not run
    Salvage(salvage::Args),
    /// Copy a subscription's credentials into a cage again, or see whether there are any
    Auth(auth::Args),
    /// Remove a cage with everything in it
    Destroy(destroy::Args),
    /// Build the image that cages are created from
    BuildImage(image::Args),
    /// Say whether the engine is fit for cages
    Doctor(doctor::Args),
    /// Remove what killed programs left behind
    Gc(gc::Args),
    /// Print a completion script for a shell
    Completions(generate::CompletionsArgs),
    /// Write the manual pages into a folder
    Man(generate::ManArgs),
}

impl Command {
    /// Says whether the command is for the host, and senseless in a cage.
    pub(crate) fn needs_host(&self) -> bool {
        !matches!(self, Self::Completions(_) | Self::Man(_))
    }
}

/// Parses the command line.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    colored: bool,
) -> Result<Cli, clap::Error> {
    let color = if colored { ColorChoice::Always } else { ColorChoice::Never };
    let matches = definition().color(color).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Returns the definition that help, completions and manual pages are made from.
pub(crate) fn definition() -> clap::Command {
    Cli::command()
}

#[cfg(test)]
mod tests {
    #[test]
    fn defines_no_command_line_that_contradicts_itself() {
        super::definition().debug_assert();
    }
}
