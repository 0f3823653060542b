//! Everything that is printed.
//!
//! ```text
//! output/
//! ├── screen.rs    where it goes: terminal or not, colour or not, JSON or not
//! ├── page.rs      text for people: sanitized, coloured where that is wanted, in columns
//! ├── json.rs      text for programs, also safe to look at
//! ├── message.rs   one message of the outbox
//! ├── progress.rs  long work: a bar on a terminal, lines elsewhere
//! ├── ask.rs       questions to a person
//! └── place.rs     JSON that is none, with the place marked
//! ```

mod ask;
mod json;
mod message;
mod page;
mod place;
mod progress;
mod screen;

pub(crate) use ask::{choose, confirm, read_line};
pub(crate) use message::{Notice, show_message};
pub(crate) use page::{
    ALARM, Answer, FAINT, GOOD, NAME, Page, STRONG, WARN, bytes_in_words, count, one_line,
};
pub(crate) use place::{BadJson, parse_members};
pub(crate) use progress::Progress;
pub(crate) use screen::{Screen, print};
