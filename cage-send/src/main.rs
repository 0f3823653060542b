//! `cage-send`: sends one message.
//!
//! ```text
//! src/
//! ├── main.rs     exit code and error report
//! ├── args.rs     the command line, made from the table of message types
//! ├── payload.rs  the payload from an argument, a file, stdin and the members' flags
//! ├── run.rs      check, publish, wait for an answer
//! ├── example.rs  the command that would have been right
//! └── error.rs    what can go wrong, and the exit code of each
//! ```

mod args;
mod error;
mod example;
mod payload;
mod run;

use std::io::Write as _;
use std::process::ExitCode;

use cage_proto::exit_code::Exit;

fn main() -> ExitCode {
    let request = match args::parse(std::env::args_os()) {
        Ok(request) => request,
        Err(error) => {
            // Help goes to stdout and is no error; where it cannot be printed there is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Ok }.into();
        }
    };
    match run::run(&request) {
        Ok(exit) => exit.into(),
        Err(error) => {
            // The exit code says it too, where nobody reads this.
            let _ = writeln!(std::io::stderr(), "cage-send: {}", error.report(&request));
            error.exit().into()
        }
    }
}
