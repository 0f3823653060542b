//! A mailbox: one folder, one file for each message, in the order of their names.
//!
//! ```text
//! mailbox/
//! ├── layout.rs      where mailboxes and cursors lie in a cage's message folder
//! ├── entry_name.rs  names of message files: time stamps in byte order          (pure)
//! ├── progress.rs    what a consumer has taken, with a short look back          (pure)
//! ├── scan.rs        two listings and a progress give what is pending           (pure)
//! ├── folder.rs      an open folder: bounded reads, listing, locks, syncs       (edge)
//! ├── publish.rs     the one way a message gets into a mailbox                  (edge)
//! ├── entry.rs       one file read, or the reason why it is no message          (edge)
//! ├── reader.rs      double scans and the files behind them, in order           (edge)
//! ├── cursor.rs      the files of a cursor, and the one way it moves            (edge)
//! ├── consumer.rs    a reader with a cursor, one turn at a time                 (edge)
//! ├── wait.rs        waiting for the next message or for an answer              (edge)
//! ├── follow.rs      every message from a name or a cursor on                   (edge)
//! ├── watch.rs       file-system events that shorten a wait                     (edge)
//! └── error.rs       an I/O error with its operation and path
//! ```

mod consumer;
mod cursor;
mod entry;
mod entry_name;
mod error;
mod folder;
mod follow;
mod layout;
mod progress;
mod publish;
mod reader;
mod scan;
mod wait;
mod watch;

pub use consumer::{Consumer, Turn};
pub use entry::Fault;
pub use entry_name::{EntryName, InvalidEntryName};
pub use error::StorageError;
pub use follow::{Follow, Item};
pub use layout::{CageDir, ConsumerName, InvalidConsumerName, Mailbox, NoHome, UnknownMailbox};
pub use progress::Progress;
pub use publish::{Draft, PublishError, Published, publish};
pub use reader::{Found, Notice};
pub use scan::{Scan, Strays};
pub use wait::{Deliver, Event, WaitError, Waited, Waiter, Wanted};
pub use watch::{Wake, Watch, leads_nowhere};
