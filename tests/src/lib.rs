//! What the end-to-end tests share. Nothing outside this package uses it.
//!
//! - [`places`]: where the programs and the image under test are.
//! - [`run`]: one program run to its end, reported in full when a test fails.
//! - [`docker`]: Docker from the outside, and the check that a test left nothing in it.
//! - [`scripted_api`]: a small Messages API that plays a script, for the real Claude Code CLI to talk to.

pub mod docker;
pub mod places;
pub mod run;
pub mod scripted_api;

/// Compiles the Rust of the README, so that it cannot fall behind the library.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
