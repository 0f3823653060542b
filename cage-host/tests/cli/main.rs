//! The `cage` command as people and programs use it: against the real engine, its JSON against the schemas.

#![expect(clippy::unwrap_used, reason = "a panic in a test is a failure with a line number")]

mod both_sides;
mod desk;
mod dockerfile;
mod errors;
mod extra_folders;
mod generated;
mod interrupts;
mod menu;
mod orders;
mod photograph;
mod pipes;
mod report;
mod schema;
mod sign_in;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod watch;
mod watch_crowd;
mod whole_way;
