//! `cage`: a thin face of `cage-host`. An argument becomes a library call, and its outcome what a person or a program
//! reads.
//!
//! ```text
//! cage/
//! ├── main.rs      exit code and error report
//! ├── args.rs      the command line: one enum of commands
//! ├── commands/    one file per command group: its options, its library calls, its answer
//! ├── output/      everything that is printed: answers, messages, progress, questions
//! ├── context.rs   what a command works with: the host, the screen, what to remove after Ctrl-C
//! ├── failure.rs   what can go wrong, and what to do next
//! ├── exit.rs      exit codes, and the one match from failure to exit code
//! ├── inside.rs    what is said to somebody who is in a cage already
//! └── signals.rs   Ctrl-C and its kin
//! ```

mod args;
mod commands;
mod context;
mod exit;
mod failure;
mod inside;
mod output;
mod signals;

use std::process::ExitCode;

use args::Cli;
use context::Context;
use exit::Exit;
use failure::Failure;
use output::Screen;

fn main() -> ExitCode {
    let screen = Screen::of_this_process();
    let cli = match args::parse(std::env::args_os(), screen.colors()) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and is no error; where it cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    let screen = screen.json(cli.json);
    match run(cli, screen) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            screen.complain(&failure);
            Exit::of(&failure).into()
        }
    }
}

fn run(cli: Cli, screen: Screen) -> Result<Exit, Failure> {
    if cli.command.needs_host() && inside::is_inside() {
        return Err(Failure::Inside);
    }
    let runtime = tokio::runtime::Runtime::new().map_err(Failure::Runtime)?;
    runtime.block_on(until_interrupted(cli, screen))
}

/// Runs the command; a signal gives it up, and what it had begun is undone before this returns.
async fn until_interrupted(cli: Cli, screen: Screen) -> Result<Exit, Failure> {
    let context = Context::new(screen);
    let signals = signals::listen(context.pause()).map_err(Failure::Runtime)?;
    tokio::select! {
        biased;
        signal = signals => {
            context.undo().await?;
            Err(Failure::Interrupted(signal))
        }
        done = commands::dispatch(cli.command, &context) => done,
    }
}
