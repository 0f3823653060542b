//! `cage-send`: sends one message.
//!
//! This is a program. What stands here as a library is its beginning, and the command line from which its manual pages
//! and completions are made (`examples/manual.rs`).
//!
//! ```text
//! src/
//! ├── lib.rs      exit code and error report
//! ├── args.rs     the command line, made from the table of message types
//! ├── payload.rs  the payload from an argument, a file, stdin and the members' flags
//! ├── send.rs     check, publish, wait for an answer
//! ├── example.rs  the command that would have been right
//! └── error.rs    what can go wrong, and the exit code of each
//! ```

mod args;
mod error;
mod example;
mod payload;
mod send;

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use cage_proto::exit_code::Exit;

#[doc(hidden)]
pub use crate::args::command;

/// Runs the program with these arguments, its own name before them, and returns its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let request = match args::parse(args) {
        Ok(request) => request,
        Err(error) => {
            // Help goes to stdout and is no error; where it cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    match send::run(&request) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // The exit code says it too, where nobody reads this.
            let _ = writeln!(std::io::stderr(), "cage-send: {}", error.report(&request));
            error.exit().into()
        }
    }
}
