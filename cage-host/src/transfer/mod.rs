//! Files between the host and a cage.
//!
//! Into the cage: [`walk`] reads a project folder, `.gitignore` respected, [`pack`] makes a tar stream of it,
//! and [`survey`](mod@survey) only counts it.
//!
//! Out of the cage, where everything is hostile until it has been checked:
//!
//! ```text
//! cage ──▶ reading, listing ─┐
//! host ──▶ walk ─────────────┴▶ compare (pure) ──▶ fetch, receive ──▶ spool ──▶ changes ──▶ export
//!                                 ▲                                                        │
//!                               rules                                   beneath ◀──────────┘
//! ```
//!
//! - [`listing`]: what a cage's project holds. [`rules`]: `.gitignore` files as data.
//! - [`compare`]: what two trees disagree about. [`agent_run`]: files that tools run without being asked.
//! - [`reading`]: one program in the cage for both. [`fetch`], [`receive`]: those files through a tar stream.
//!   [`spool`]: where their contents wait.
//! - [`protect`]: what an export leaves alone. [`fingerprint`], [`renames`]: contents that are the same.
//! - [`three_way`]: whether the host changed a file, too. [`version`], [`late`], [`exported`]: by what that is told.
//! - [`home`]: everything that one cage hands on to another.
//! - [`archive`]: the same, and the messages, out of a cage in which nothing runs.
//! - [`changes`], [`diff`](mod@diff): all of that together. [`text`], [`statistics`]: line by line.
//! - [`export`](mod@export), [`stage`], [`select`]: onto the host's disk. [`conflict`]: what both sides changed.
//! - [`push`](mod@push): the other way. [`tidy`](mod@tidy): caches inside.
//! - [`commits`]: the agent's commits, and a branch of the host made of them.
//! - [`safe_path`], [`beneath`]: paths that stay inside a folder. [`refused`]: what was not taken.

mod agent_run;
mod archive;
mod beneath;
mod changes;
mod commits;
mod compare;
mod conflict;
mod diff;
mod export;
mod exported;
mod fetch;
mod fingerprint;
mod home;
#[cfg(test)]
mod hostile;
mod late;
mod listing;
mod pack;
mod protect;
mod push;
mod reading;
mod receive;
mod refused;
mod renames;
mod rules;
mod safe_path;
mod select;
mod spool;
mod stage;
mod statistics;
mod survey;
mod text;
mod three_way;
mod tidy;
mod version;
mod walk;

pub(crate) use archive::{ArchiveEntry, read_folder, read_small};
pub(crate) use beneath::open_beneath;
pub use changes::{Change, ChangeKind, Changes, Hold, ProtectedPath};
pub(crate) use commits::read as read_patches;
pub use commits::{Author, Base, Branch, BranchOptions, Mail, MailOptions, Patch, Patches, Series};
pub use conflict::{Conflict, ConflictKind};
pub use diff::DiffOptions;
pub(crate) use diff::diff;
pub(crate) use export::export;
pub use export::{Export, ExportOptions};
pub(crate) use exported::Memory;
pub(crate) use home::repack;
pub use pack::Arrival;
pub(crate) use pack::{Counted, Packing, pack, pack_context};
pub(crate) use push::push;
pub use push::{Push, PushOptions};
pub use refused::RefusedPath;
pub(crate) use safe_path::SafePath;
pub use statistics::{LanguageLines, Statistics};
pub(crate) use survey::survey;
pub(crate) use tidy::tidy;
pub use tidy::{Tidied, TidyOptions};
