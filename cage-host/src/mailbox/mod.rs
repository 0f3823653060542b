//! The two mailboxes of a cage, seen from the host.
//!
//! - [`line`]: what `cage-poll --follow` prints, parsed (pure).
//! - [`ledger`]: which messages were delivered and which acknowledged (pure).
//! - [`cursor_store`]: where that is kept, on the host.
//! - [`outbox`], [`follower`]: messages from the agent, pushed.
//! - [`inbox`]: messages to the agent.
//! - [`answer`]: files of the host as the answer to a question.

mod answer;
mod cursor_store;
mod follower;
mod inbox;
mod ledger;
mod line;
mod outbox;

pub use answer::{Answer, MAX_ANSWER_BYTES, MAX_ANSWER_FILES, Refusal};
pub use cursor_store::{CursorStore, FileCursors, MemoryCursors};
pub use follower::{Content, Delivery, Follower};
pub use inbox::Inbox;
pub use outbox::Outbox;
