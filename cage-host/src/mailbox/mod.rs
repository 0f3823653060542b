//! The two mailboxes of a cage, seen from the host.
//!
//! - [`content`]: what lies in a mailbox, as a consumer gets it.
//! - [`line`]: what `cage-poll --follow` prints, parsed (pure).
//! - [`sequence`]: the numbers of messages, by which a gap shows (pure).
//! - [`ledger`]: which messages were delivered and which acknowledged (pure).
//! - [`cursor_store`]: where that is kept, on the host.
//! - [`outbox`], [`follower`], [`delivery`]: messages from the agent, pushed.
//! - [`polling`]: the same for a cage without a working `cage-poll`.
//! - [`inbox`]: messages to the agent.
//! - [`listing`]: what lies in either of them now.
//! - [`sweep`]: two listings and the files behind them, by one program in the cage.
//! - [`answer`]: files of the host as the answer to a question.

mod answer;
mod content;
mod cursor_store;
mod delivery;
mod follower;
mod inbox;
mod ledger;
mod line;
mod listing;
mod outbox;
mod polling;
mod sequence;
mod sweep;

pub use answer::{Answer, MAX_ANSWER_BYTES, MAX_ANSWER_FILES, Refusal};
pub use content::{Content, Gap};
pub use cursor_store::{CursorStore, FileCursors, MemoryCursors};
pub use delivery::Delivery;
pub use follower::Follower;
pub use inbox::Inbox;
pub(crate) use line::LineBuffer;
pub use listing::{Entry, Listing, MAX_LISTED, Select};
pub use outbox::Outbox;
