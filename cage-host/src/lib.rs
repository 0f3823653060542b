//! Runs AI coding agents in disposable containers and talks with them through mailboxes.

mod backend;
mod cage;
mod docker;
mod error;
mod host;
mod local;
mod mailbox;
mod sanitize;
mod transfer;

pub use cage::{
    Agent, Cage, CageName, CageSpec, DEFAULT_CPUS, DEFAULT_IMAGE, DEFAULT_MEMORY_BYTES, DEFAULT_PIDS,
    MAX_NAME_BYTES, MAX_PROMPT_BYTES, NameError, Network, Task,
};
pub use error::{CageError, EngineError, Error, IoError, RequestError, Result};
pub use host::{CageSummary, Host};
pub use local::EmbeddedConfig;
pub use mailbox::{
    Answer, Content, CursorStore, Delivery, FileCursors, Follower, Inbox, MAX_ANSWER_BYTES, MAX_ANSWER_FILES,
    MemoryCursors, Outbox, Refusal,
};
pub use sanitize::{sanitize, sanitize_path};
pub use transfer::{Arrival, Change, ChangeKind, Changes, Export, ExportOptions, Hold, RefusedPath};
