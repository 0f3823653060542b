//! The runtime around a headless agent: runs its turns, tells the host what becomes of them, waits between them.
//!
//! ```text
//! supervise/
//! ├── args.rs      the command line
//! ├── machine/     what to do next: events in, actions out                                     (pure)
//! ├── opening.rs   how a launch begins: a new task, or going on with an earlier one            (pure)
//! ├── texts.rs     what the agent and the host are told                                        (pure)
//! ├── task.rs      the task that a launch was given                                            (edge)
//! ├── runtime.rs   carries actions out and brings events in, one at a time                     (edge)
//! ├── timers.rs    what is due when                                                            (edge)
//! ├── events.rs    the threads that bring signals, inbox changes and the agent's output        (edge)
//! ├── child.rs     the agent's process and its process group                                   (edge)
//! ├── orphans.rs   processes that outlive their parents, found and ended                       (edge)
//! ├── log.rs       the log of the agent's output, rotated                                      (edge)
//! ├── status.rs    session.json                                                                (edge)
//! ├── outbox.rs    what the agent reported, and what is reported about it                      (edge)
//! ├── lock.rs      one supervisor in a cage                                                    (edge)
//! ├── error.rs     why supervision could not begin or go on
//! └── agents/      one file for each kind of agent
//! ```

mod agents;
mod args;
mod child;
mod error;
mod events;
mod lock;
mod log;
mod machine;
mod opening;
mod orphans;
mod outbox;
mod runtime;
mod status;
mod task;
mod texts;
mod timers;

pub(crate) use args::SuperviseArgs;
pub(crate) use error::SuperviseError;
pub(crate) use runtime::run;
