//! A Messages API that plays a script instead of a model.
//!
//! The real Claude Code CLI talks to it through `ANTHROPIC_BASE_URL` and cannot tell the difference, so a test
//! decides what "the model" does and afterwards reads what it was told:
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use cage_tests::scripted_api::{Script, ScriptedApi, Turn};
//!
//! let script = Script::new([
//!     Turn::status(529),
//!     Turn::bash("cage-send progress_update --status working", "Report"),
//!     Turn::say("All done."),
//! ]);
//! let api = ScriptedApi::start([127, 0, 0, 1].into(), script).await?;
//! println!("ANTHROPIC_BASE_URL={}", api.base_url());
//! // … the agent runs …
//! assert!(!api.overrun());
//! assert!(api.requests()[2].mentions("Sent progress_update"));
//! # Ok(())
//! # }
//! ```
//!
//! - `script`: what is played, as values or as a JSON file.
//! - `reply`: the wire form of one model message, streamed and whole (pure).
//! - `request`: what was asked: parsed, told apart, searchable (pure).
//! - `server`: the HTTP edge and the record of the run.
//!
//! It does not check requests as the real API does, counts no tokens, and knows no other model behaviour than
//! the script's.

mod reply;
mod request;
mod script;
mod server;

pub use reply::{INPUT_TOKENS_PER_REPLY, OUTPUT_TOKENS_PER_REPLY};
pub use request::{Purpose, RecordedRequest};
pub use script::{ErrorStatus, Script, ScriptError, Turn};
pub use server::ScriptedApi;
