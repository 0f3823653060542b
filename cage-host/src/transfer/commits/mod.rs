//! Commits that an agent made, read out of its cage, and put on a branch of the host or into mails.
//!
//! ```text
//! git in the cage ──▶ raw (paths) ──▶ objects ──▶ commit_text ──▶ patches ──▶ stream ──▶ git fast-import on the host
//!                                                                         └──▶ mail ──▶ git am on the host
//! ```
//!
//! The cage's git says what it wants to be its history; the host believes none of it. It takes from it paths that pass
//! the checks of an export, modes that are one of two, contents with a limit, and texts without control characters,
//! and builds new commits of these. No object, reference, configuration or hook of the cage's repository comes over.
//!
//! - [`id`]: names of git objects. [`raw`]: what `git diff-tree` prints. [`objects`]: what `git cat-file` prints.
//! - [`commit_text`]: author, date and message. [`patches`]: all of that, as callers see it. [`read`]: out of a cage.
//! - [`stream`]: commits as `git fast-import` reads them. [`branch`], [`host_git`]: into a repository of the host.
//! - [`series`](mod@series), [`mail`], [`mail_file`], [`base85`]: commits as `git am` reads them. [`sieve`]: what of a
//!   commit may be taken over.
//! - [`base`], [`base_files`]: what both sides began with.

mod base;
mod base85;
mod base_files;
mod branch;
mod commit_text;
mod host_git;
mod id;
mod mail;
mod mail_file;
mod objects;
mod patches;
mod raw;
mod read;
mod series;
mod sieve;
mod stream;

pub use base::Base;
pub(crate) use base_files::BaseFiles;
pub use branch::{Branch, BranchOptions};
pub use commit_text::Author;
pub use patches::{Patch, Patches};
pub(crate) use read::read;
pub use series::{Mail, MailOptions, Series};
