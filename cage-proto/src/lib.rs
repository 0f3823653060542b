//! The contract between an AI coding agent in a container, the *cage*, and whoever runs it.
//!
//! The two talk through plain folders of JSON files. This crate alone knows what those files look like, how they are
//! named, ordered, published and consumed; `docs/protocol.md` says the same in prose.
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | envelope and payloads: bytes to validated values and back |
//! | [`mailbox`] | names, order and cursors (pure), then the folder on disk (edge) |
//! | [`agent`] | how an agent is told to report, and what the runtime writes down about it |
//! | [`follow_record`] | the lines that a follower prints and a host reads |
//! | [`schedule`] | how long a waiting reader sleeps between two looks |
//! | [`schema`] | JSON Schema of the messages, for other tools |
//! | [`limits`] | every cap, with its unit and its reason |
//! | [`env`](mod@env) | clock and message ids as arguments |
//! | [`exit_code`] | what the programs' exit codes mean |
//!
//! It starts no process, opens no socket, knows no Docker and needs no async runtime.

pub mod agent;
pub mod env;
pub mod exit_code;
pub mod follow_record;
pub mod limits;
pub mod mailbox;
pub mod message;
pub mod schedule;
pub mod schema;
