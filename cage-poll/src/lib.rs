//! `cage-poll`: waits for messages, follows a mailbox, supervises the agent and answers its hooks.
//!
//! This is a program. What stands here as a library is its beginning, and the command line from which its manual pages
//! and completions are made (`examples/manual.rs`).
//!
//! ```text
//! src/
//! ├── lib.rs           exit code and error report
//! ├── args.rs          the command line
//! ├── wait.rs          the next message, all pending ones, or the answer to a question
//! ├── follow.rs        every message, for as long as someone listens
//! ├── output.rs        what is printed, with control characters made harmless
//! ├── error.rs         what can go wrong, and the exit code of each
//! ├── supervise/       the runtime around a headless agent
//! ├── hook/            answers to the agent's hooks, and the settings that install them
//! ├── delivery/        messages on their way to the agent, shared by these two
//! ├── instructions.rs  how an agent is to report
//! ├── api_failure.rs   which failures of the model's API pass by themselves
//! └── files.rs         small files of the runtime
//! ```

mod api_failure;
mod args;
mod delivery;
mod error;
mod files;
mod follow;
mod hook;
mod instructions;
mod output;
mod supervise;
mod wait;

use std::ffi::OsString;
use std::process::ExitCode;

use cage_proto::exit_code::Exit;
use clap::{CommandFactory as _, Parser as _};

use crate::args::{Args, Command};
use crate::error::Error;

/// Runs the program with these arguments, its own name before them, and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help goes to stdout and is no error; where it cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    match perform(args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::complain(&error.report());
            error.exit().into()
        }
    }
}

/// Builds the parser.
#[doc(hidden)]
pub fn command() -> clap::Command {
    Args::command()
}

fn perform(args: Args) -> Result<Exit, Error> {
    match args.command {
        Some(Command::Hook(hook)) => return hook::run(hook),
        Some(Command::Supervise(supervise)) => return Ok(supervise::run(&supervise)?),
        Some(Command::Instructions) => return instructions::run(),
        None => {}
    }
    let poll = args.poll;
    if poll.follow { follow::run(&poll) } else { wait::run(&poll) }
}
