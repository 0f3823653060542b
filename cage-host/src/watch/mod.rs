//! What an agent is doing, and what it has done so far.
//!
//! - [`status`]: what a cage is doing, from a snapshot of it (pure).
//! - [`diagnosis`]: evidence, and one suggestion (pure).
//! - [`snapshot`]: what one look into a cage has shown (pure).
//! - [`script`]: what is run in the cage for it. [`frame`]: where a look ends in its output (pure).
//! - [`probe`]: one look, and what it comes to.
//! - [`follow`]: a cage's status whenever it changes, by push.
//! - [`overview`]: the status of every cage. [`fleet`]: the same, whenever one changes.
//! - [`event`]: one line of the agent's log as typed events (pure).
//! - [`line`](mod@line): one line as it is (pure).
//! - [`log`]: the end of that log, or all that is added to it.
//!
//! An agent can write everything that is looked at here, its own account of itself included. So a status is what the
//! cage says, not a proof; and all text in it has been made safe to show and cut to a bearable length.

mod diagnosis;
mod event;
mod fleet;
mod follow;
mod frame;
mod line;
mod log;
mod overview;
mod probe;
mod script;
mod snapshot;
mod status;

pub use diagnosis::{Diagnosis, Evidence, Suggestion};
pub use event::{LogEvent, MAX_EVENT_CHARS};
pub(crate) use fleet::watch;
pub use fleet::{FleetEvent, FleetWatch};
pub use follow::StatusFollower;
pub use line::LogLine;
pub use log::{LogFollower, MAX_LOG_LINE_BYTES, MAX_TAIL_LINES, StreamLog};
pub use overview::CageStatus;
pub(crate) use overview::statuses;
pub(crate) use probe::{diagnose, status};
pub use status::{Activity, SILENT_AFTER, Spent, Status};
