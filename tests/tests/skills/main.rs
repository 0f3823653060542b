//! The skills, held against what they speak of: each command runs, each page says what the programs say, and the real
//! Claude Code loads them and follows one to an exported result. The README's steps are run on the same stage.

#![expect(clippy::unwrap_used, reason = "a panic in a test is a failure with a line number")]

mod iterate;
mod orchestrator;
mod page;
mod plugin;
mod protocol;
mod readme;
mod stage;
