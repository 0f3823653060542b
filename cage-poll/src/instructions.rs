//! Prints how an agent is to report.

use cage_proto::agent;
use cage_proto::exit_code::Exit;

use crate::error::Error;

/// Prints the text that is appended to each task.
pub(crate) fn run() -> Result<Exit, Error> {
    crate::output::print(&agent::instructions())?;
    Ok(Exit::Ok)
}
