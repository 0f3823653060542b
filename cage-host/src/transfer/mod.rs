//! Files between the host and a cage.
//!
//! Into the cage: [`walk`] reads a project folder, `.gitignore` respected, and [`pack`] makes a tar stream of it.
//!
//! Out of the cage, where everything is hostile until it has been checked:
//!
//! ```text
//! find ──▶ listing ─┐
//! host ──▶ walk ────┴▶ compare (pure) ──▶ fetch ──▶ receive ──▶ spool ──▶ changes ──▶ export
//!                         ▲                                                             │
//!                       rules                                          beneath ◀────────┘
//! ```
//!
//! - [`listing`]: what a cage's project holds. [`rules`]: `.gitignore` files as data.
//! - [`compare`]: what two trees disagree about. [`agent_run`]: files that tools run without being asked.
//! - [`fetch`], [`receive`]: those files through one tar stream. [`spool`]: where their contents wait.
//! - [`changes`], [`diff`](mod@diff): all of that together. [`export`](mod@export): onto the host's disk.
//! - [`safe_path`], [`beneath`]: paths that stay inside a folder. [`refused`]: what was not taken.

mod agent_run;
mod beneath;
mod changes;
mod compare;
mod diff;
mod export;
mod fetch;
#[cfg(test)]
mod hostile;
mod listing;
mod pack;
mod receive;
mod refused;
mod rules;
mod safe_path;
mod spool;
mod walk;

pub(crate) use beneath::open_beneath;
pub use changes::{Change, ChangeKind, Changes, Hold};
pub(crate) use diff::diff;
pub(crate) use export::export;
pub use export::{Export, ExportOptions};
pub use pack::Arrival;
pub(crate) use pack::{Packing, pack, pack_context};
pub use refused::RefusedPath;
pub(crate) use safe_path::SafePath;
