//! The runtime as it is called: `supervise` around small agents that are shell scripts, and the answers to hooks.
//!
//! - `cage`: a message folder of its own for each test, and the processes in it
//! - `turns`: from one turn to the next
//! - `crashes`: agents and supervisors that do not end as they should
//! - `ending`: being told to end, and what is left then
//! - `launching`: what is refused, and how a launch goes on with an earlier one
//! - `hooks`: records, messages in the middle of a turn, and never failing the agent
//!
//! What the real Claude Code does with all this is tested in the package of end-to-end tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failure with a line number")]

mod cage;
mod crashes;
mod ending;
mod hooks;
mod launching;
mod turns;
