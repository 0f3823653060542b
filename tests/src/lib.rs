//! What the end-to-end tests share. Nothing outside this package uses it.
//!
//! - [`places`]: where the programs and the image under test are.
//! - [`run`]: one program run to its end, reported in full when a test fails.
//! - [`docker`]: Docker from the outside, and the check that a test left nothing in it.
//! - [`cage_dir`]: a message folder, read without the code under test.
//! - [`held`]: a program held where it prints, and what it has used up to there.
//! - [`mounts`]: file systems of a test's own, and what a loss of power leaves of one.
//! - [`skip`]: tests that cannot run on every machine.
//! - [`strace`]: programs that are killed, or whose system calls fail, exactly where a test says.
//! - [`scripted_api`]: a small Messages API that plays a script, for the real Claude Code CLI to talk to.

pub mod cage_dir;
pub mod docker;
pub mod held;
pub mod mounts;
pub mod places;
pub mod run;
pub mod scripted_api;
pub mod skip;
pub mod strace;

/// Compiles the Rust of the READMEs, so that it cannot fall behind the libraries.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../README.md")]
    pub struct Project;

    #[doc = include_str!("../../cage-host/README.md")]
    pub struct CageHost;

    #[doc = include_str!("../../cage-proto/README.md")]
    pub struct CageProto;
}
