//! The program as it is called: flags, exit codes, what it prints and what it leaves.
//!
//! - `cage`: a message folder of its own for each test
//! - `types`: every message type, from JSON and from flags
//! - `rejected`: what is refused, and what it says then
//! - `repeat`: `--id`
//! - `answer`: `--wait`
//! - `places`: where messages go

#![expect(clippy::unwrap_used, reason = "a panic in a test is a failure with a line number")]

mod answer;
mod cage;
mod places;
mod rejected;
mod repeat;
mod types;
