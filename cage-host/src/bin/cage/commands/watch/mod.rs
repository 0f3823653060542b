//! `cage watch`: all cages on one screen.
//!
//! ```text
//! watch/
//! ├── model.rs    what is shown (pure)
//! ├── update.rs   what a key or a piece of news changes, and what it asks for (pure)
//! ├── view.rs     the picture of it (pure)
//! ├── terminal.rs the terminal: its screen, its keys, and giving both back
//! ├── work.rs     what is asked of cages: what they do, by push; messages, the log, revisions, stops
//! └── command.rs  the command: news in, pictures out
//! ```

mod command;
mod model;
mod terminal;
#[cfg(test)]
mod tests;
mod update;
mod view;
mod work;

pub(crate) use command::{Args, run};
