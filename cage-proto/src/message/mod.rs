//! Envelope and payloads: bytes from either side become validated values here, and nowhere else.
//!
//! ```text
//! message/
//! ├── envelope.rs   one message: parse bounded bytes, print pretty or on one line
//! ├── kind.rs       the message types as a table: direction, members, example
//! ├── payload.rs    a struct for each type, checked against that table
//! ├── id.rs         message ids
//! ├── timestamp.rs  time stamps as they stand in a message
//! ├── bounded.rs    JSON with a limit on depth and count, duplicate names refused
//! └── error.rs      what can be wrong with a message
//! ```

mod bounded;
mod envelope;
mod error;
mod id;
mod kind;
mod payload;
mod timestamp;

pub use bounded::parse_object;
pub use envelope::{Envelope, VERSION};
pub use error::{MemberError, MessageError};
pub use id::MessageId;
pub use kind::{Direction, Kind, Member, Shape};
pub use payload::{
    Ack, ErrorReport, FileContent, GoingIdle, InfoRequest, InfoResponse, Payload, ProgressUpdate,
    TaskComplete, TaskRevision, UnknownPayload,
};
pub use timestamp::Timestamp;
