//! What the runtime around an agent, the agent itself and the host have to agree on beside messages.
//!
//! ```text
//! agent/
//! ├── files.rs         where the runtime's own files lie in a cage's message folder; no other module knows their names
//! ├── session.rs       `session.json`: what the agent is doing, as a host reads it
//! ├── stream.rs        the lines of the agent's log (pure)
//! └── instructions.rs  how to report, made from the table of message types
//! ```

mod files;
mod instructions;
mod session;
mod stream;

pub use instructions::instructions;
pub use session::{Session, SessionError, State, Usage};
pub use stream::{ApiRetry, StreamBlock, StreamLine, StreamResult};
