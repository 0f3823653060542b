//! The embedded backend: a cage is a folder of the host and its programs are child processes. There is no isolation.
//!
//! ```text
//! <root>/isolated-dev-<name>/
//!   id                     one line, never used again for another cage
//!   stopped                there while no program may be started
//!   unfinished             there until the creation is finished: the program that does it
//!   home/                  HOME of the cage's programs
//!     project/
//!     .cage/{outbox,inbox,cursor}
//! ```
//!
//! - [`folders`]: create, find, list, remove.
//! - [`exec`]: one program in a cage.
//! - [`archive`]: a folder of one, read while it is stopped.
//! - [`processes`]: ending what a cage left running.

mod archive;
mod exec;
mod folders;
mod notes;
mod processes;

pub use folders::EmbeddedConfig;
pub(crate) use folders::Folders;
