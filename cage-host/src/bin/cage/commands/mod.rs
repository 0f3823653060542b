//! One file for each command, or for a few that belong together: its options, its library calls, its answer.
//!
//! [`dispatch`](dispatch()) finds the file; [`folders`], [`input`] and [`follow`] are what several of them share.

pub(crate) mod add_dir;
pub(crate) mod answer;
pub(crate) mod auth;
pub(crate) mod branch;
pub(crate) mod copies;
pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod diagnose;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod generate;
pub(crate) mod image;
pub(crate) mod inbox;
pub(crate) mod init;
pub(crate) mod interactive;
pub(crate) mod launch;
pub(crate) mod list;
pub(crate) mod logs;
mod made_folder;
pub(crate) mod outbox;
pub(crate) mod patch;
pub(crate) mod remove_dir;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod salvage;
pub(crate) mod stop;
pub(crate) mod sync;
pub(crate) mod watch;

mod dispatch;
mod dockerfile;
mod folders;
mod follow;
pub(crate) mod input;

pub(crate) use dispatch::dispatch;
