//! What the end-to-end tests share. Nothing outside this package uses it.
//!
//! - [`scripted_api`]: a small Messages API that plays a script, for the real Claude Code CLI to talk to.

pub mod scripted_api;
