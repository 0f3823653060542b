//! Messages on their way from the inbox to the agent. The supervisor and the hooks share this.
//!
//! A message that was handed to the agent is not consumed yet: the agent may die before it has seen it. It is noted
//! down first, and consumed once something proves that the agent went on with it; when the agent dies before that, the
//! note is struck out and the message is handed over again.
//!
//! ```text
//! delivery/
//! ├── handed.rs  what was handed over, by whom, and what proves that it arrived   (pure)
//! ├── text.rs    messages as the agent reads them                                 (pure)
//! └── desk.rs    the inbox, its cursor and the note of what was handed over       (edge)
//! ```

mod desk;
mod handed;
mod text;

pub(crate) use desk::{Desk, DeskError, Parcel, Strictness};
pub(crate) use handed::{Bearer, Proof};
pub(crate) use text::{CONTEXT_CHARS_MAX, TURN_CHARS_MAX};
