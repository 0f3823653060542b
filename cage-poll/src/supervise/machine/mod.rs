//! What to do next: events in, actions out. It knows no clock, no file and no process.
//!
//! ```text
//! machine/
//! ├── input.rs   what can happen to a supervised agent
//! ├── action.rs  what a supervisor can do
//! ├── states.rs  decides what happens next
//! └── tests.rs   every transition
//! ```

mod action;
mod input;
mod states;
#[cfg(test)]
mod tests;

pub(super) use action::{Action, Arrival, Outcome};
pub(super) use input::{Cause, Crash, Ending, Input, Opening, Reported, Timer};
pub(super) use states::{Machine, Rules};
