//! One file for each kind of agent: how it is started and resumed, and how its output is understood.
//!
//! ```text
//! agents/
//! ├── agent.rs        the kinds of agents behind one enum
//! ├── claude.rs       Claude Code: started, resumed
//! ├── claude_args.rs  its command line: the prompt found, what it needs added
//! ├── claude_read.rs  its stream of JSON lines
//! └── command.rs      any program that reads its instructions from stdin
//! ```

mod agent;
mod claude;
mod claude_args;
mod claude_read;
mod command;

pub(super) use agent::{Agent, AgentError, Ended, Heard, Invocation, Reader};
