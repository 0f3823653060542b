//! The mailbox on a real file system.
//!
//! - `publish`: names, numbers and what a killed publisher leaves
//! - `consume`: turns, cursors and what is no message
//! - `follow`: every message for as long as someone listens

#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a test is a failure with a line number")]

mod cage;
mod consume;
mod follow;
mod publish;
