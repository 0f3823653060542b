//! The program as it is called: flags, exit codes, what it prints and where the cursor is then.
//!
//! - `cage`: a message folder of its own for each test
//! - `next`: the next message, and the time-out
//! - `pick`: `--all`, `--peek`, `--since`, `--consumer`, `--reply-to`
//! - `follow`: `--follow`
//! - `broken`: closed outputs, signals, usage and storage errors
//! - `hostile`: what is no message

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failure with a line number")]

mod broken;
mod cage;
mod follow;
mod hostile;
mod next;
mod pick;
