//! Answers to the agent's hooks: Claude Code starts this program at each of them, hands it JSON and reads its answer.
//!
//! A hook never fails the agent and never waits. It exits with 0 whatever happens, because every other code says
//! something to the agent; what went wrong is written to `hook.log`. Where another program is at the inbox it leaves
//! the messages to the next hook.
//!
//! ```text
//! hook/
//! ├── args.rs           the command line
//! ├── run.rs            reads the input, answers, writes down what went wrong
//! ├── input.rs          what Claude Code says to a hook, and what may be said back
//! ├── record.rs         sessions/<session id>.json: what is known about a session
//! ├── session_start.rs  records the session, hides credentials from the shell
//! ├── prompt.rs         records the beginning of a turn
//! ├── stop.rs           records the end of a turn, hands over what is pending as the next one
//! ├── stop_failure.rs   reports that the API failed
//! ├── post_tool.rs      heartbeat; hands over what is pending in the middle of a turn
//! ├── settings.rs       the managed settings that install all this
//! └── check.rs          proves that an image has it in place and that it works
//! ```

mod args;
mod check;
mod input;
mod post_tool;
mod prompt;
mod record;
mod run;
mod session_start;
mod settings;
mod stop;
mod stop_failure;

pub(crate) use args::HookArgs;
pub(crate) use record::has_started;
pub(crate) use run::run;
