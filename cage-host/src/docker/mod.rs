//! The Docker engine as the place where cages run. Nothing outside this folder names bollard.
//!
//! - [`client`]: connecting, version negotiation, a deadline on every call.
//! - [`ability`]: what an engine can do for a cage, asked before one is made.
//! - [`container`]: create, find, list, remove.
//! - [`exec`]: one program in a container.
//! - [`terminal`]: one program with a terminal of its own.
//! - [`state`]: start, stop, pause. [`changes`]: the engine's word on what others do.
//! - [`archive`]: folders of a container, whether it runs or not.
//! - [`image`]: building the image. [`snapshot`]: images made of cages.
//! - [`facts`]: what an engine says of itself.
//! - [`transport`]: the ways to an engine.
//! - [`error`]: bollard's errors in this crate's words.

mod ability;
mod archive;
mod changes;
mod client;
mod container;
mod error;
mod exec;
mod facts;
mod folders;
mod image;
mod snapshot;
mod state;
mod terminal;
mod transport;

pub(crate) use client::Engine;
pub(crate) use image::{BuildNews, BuildSteps};
