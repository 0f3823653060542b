//! `cage run`: the whole way in one command.
//!
//! - [`args`]: its options.
//! - [`story`]: create, launch, show messages, answer questions.
//! - [`question`]: what is done about an `info_request`.
//! - [`ending`]: revise, look, export, branch, keep or destroy.
//! - [`event`]: what a program reads of it, line by line.

mod args;
mod ending;
mod event;
mod question;
mod story;

pub(crate) use args::Args;
pub(crate) use story::run;
