//! Runs AI coding agents in disposable containers, *cages*, and talks with them through two mailboxes.
//!
//! ```no_run
//! use cage_host::message::{Payload, TaskRevision};
//! use cage_host::{CageSpec, Host, Task};
//!
//! # async fn story() -> cage_host::Result<()> {
//! let host = Host::connect().await?;
//! let cage = host.create(CageSpec::from_dir("demo", ".")).await?;
//! cage.launch(Task::new("add a --json flag").env_from_host()).await?;
//! let mut outbox = cage.outbox().follow().await?;
//! while let Some(delivery) = outbox.next().await {
//!     let delivery = delivery?;
//!     let done = matches!(delivery.message().map(|m| &m.payload), Some(Payload::TaskComplete(_)));
//!     delivery.ack().await?;
//!     if done { break }
//! }
//! cage.inbox().send(TaskRevision::new("also update the README")).await?;
//! let changes = cage.diff(".").await?;
//! print!("{changes}");
//! cage.export(".", &changes).await?;
//! cage.destroy().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `host` | [`Host`]: connecting, creating, finding, listing, cleaning up |
//! | `cage` | [`CageSpec`], [`Task`] and [`Cage`]: one cage, its wish, its life and its work |
//! | `mailbox` | [`Outbox`], [`Follower`], [`Inbox`]: messages by push, answers, cursors on the host |
//! | `watch` | [`Status`], [`Diagnosis`], [`StreamLog`]: what an agent does and has done; [`FleetWatch`]: all of them |
//! | `report` | [`RunReport`], [`Comparison`]: what a run was like, from evidence |
//! | `transfer` | [`Changes`], [`Export`]: a project into a cage, and what changed out of it |
//! | `interactive` | [`Interactive`]: the agent with its own screen, started, driven and attached to |
//! | `endpoint` | [`Endpoint`]: where an engine listens, by the environment or by an address |
//! | `image` | [`ImageSpec`], [`Build`]: what an image is built from, and its progress |
//! | `doctor` | [`doctor()`], [`Report`]: what an engine is made of, and whether it is fit for cages |
//! | `backend` | one program run in a cage: the primitive below all of the above |
//! | `docker`, `local` | the two backends; bollard is named in `docker` alone |
//! | `sanitize` | text from a cage, made safe to show |
//! | `error` | what can go wrong, sorted by who is at fault |
//!
//! Everything that comes out of a cage is hostile until it has been checked. The library never runs git, a hook or a
//! filter on it, follows no link out of a folder, and reads nothing without a limit.
//!
//! It keeps no state file: cages are found again by their labels. It prints nothing, reads no settings of its own, and
//! stops nothing when a handle is dropped: [`Cage::destroy`] ends a cage. It needs a Tokio runtime and a Unix-like
//! host.

mod backend;
mod cage;
mod docker;
mod doctor;
mod endpoint;
mod error;
mod host;
mod image;
mod interactive;
mod local;
mod mailbox;
mod report;
mod sanitize;
mod transfer;
mod watch;

#[doc = include_str!("local/embedded.md")]
pub mod embedded {
    pub use crate::local::EmbeddedConfig;
}

pub use cage_proto::agent::Usage;
pub use cage_proto::message;

pub use cage::{
    Agent, AgentRun, AuthMode, Cage, CageName, CageSpec, CageState, CreateEvent, CreatePlan, Creation,
    Credential, DEFAULT_CPUS, DEFAULT_GRACE, DEFAULT_IMAGE, DEFAULT_MEMORY_BYTES, DEFAULT_PIDS, ExtraFolder,
    GitRepo, MAX_FOLDER_NAME_BYTES, MAX_FOLDERS, MAX_NAME_BYTES, MAX_PROMPT_BYTES, MAX_STREAM_LINE_BYTES,
    NameError, Network, PlannedCopy, Salvage, SalvagedMessage, Snapshot, Task,
};
pub use doctor::{EngineFacts, Finding, OciRuntime, Product, Report, Subject, Verdict, doctor};
pub use endpoint::Endpoint;
pub use error::{CageError, EngineError, Error, IoError, RequestError, Result};
pub use host::{CageSummary, Host};
pub use image::{Build, BuildEvent, ImageSpec};
pub use interactive::{Interactive, InteractiveAgent, InteractiveError, MAX_TYPED_BYTES, TerminalSize, Turn};
pub use local::EmbeddedConfig;
pub use mailbox::{
    Answer, Content, CursorStore, Delivery, Entry, FileCursors, Follower, Gap, Inbox, Listing,
    MAX_ANSWER_BYTES, MAX_ANSWER_FILES, MAX_LISTED, MemoryCursors, Outbox, Refusal, Select,
};
pub use report::{
    Comparison, Difference, Grade, Measured, Measures, Moment, Outcome, Remark, RunReport, Section,
    SectionGrades, Sections, Track, Trouble,
};
pub use sanitize::{sanitize, sanitize_json, sanitize_path};
pub use transfer::{
    Arrival, Author, Base, Branch, BranchOptions, Change, ChangeKind, Changes, Conflict, ConflictKind,
    DiffOptions, Export, ExportOptions, Hold, LanguageLines, Mail, MailOptions, Patch, Patches,
    ProtectedPath, Push, PushOptions, RefusedPath, Series, Statistics, Tidied, TidyOptions,
};
pub use watch::{
    Activity, CageStatus, Diagnosis, Evidence, FleetEvent, FleetWatch, LogEvent, LogFollower, LogLine,
    MAX_EVENT_CHARS, MAX_LOG_LINE_BYTES, MAX_TAIL_LINES, SILENT_AFTER, Spent, Status, StatusFollower,
    StreamLog, Suggestion,
};
