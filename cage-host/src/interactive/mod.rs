//! The interactive agent: Claude Code with its own screen, in a tmux session in the cage, for a person or a program.
//!
//! ```text
//! interactive/
//! ├── handle.rs    Interactive: start, prompt, screen, stop, attach
//! ├── agent.rs     what is started: environment, model
//! ├── trust.rs     Claude Code's own settings file, with the project's folder trusted (pure)
//! ├── screen.rs    what the screen shows, and what to press about it (pure)
//! ├── screens/     screens of the real program, for its tests
//! ├── records.rs   what the hooks wrote down about the agent's sessions (pure)
//! ├── turn.rs      from a prompt to the end of its turn (pure)
//! ├── tmux.rs      what is run in the cage: shell scripts and tmux commands
//! ├── watch.rs     one exec that says what changed: the screen, the records
//! ├── terminal.rs  a person's terminal, attached
//! └── error.rs     what can go wrong with an interactive agent
//! ```

mod agent;
mod error;
mod handle;
mod records;
mod screen;
mod terminal;
mod tmux;
mod trust;
mod turn;
mod watch;

pub use agent::InteractiveAgent;
pub use error::InteractiveError;
pub use handle::{Interactive, MAX_TYPED_BYTES, Turn};
pub(crate) use terminal::Terminal;
pub use terminal::TerminalSize;
