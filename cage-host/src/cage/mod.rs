//! One cage: its wish, its life, its work.
//!
//! - [`spec`], [`name`], [`resources`], [`folder_name`], [`git_repo`]: what is asked for, checked at the door.
//! - [`create_plan`]: what creating would do.
//! - [`creation`], [`create`], [`fill`], [`clone`], [`progress`]: from a spec to a cage, or to nothing at all.
//! - [`creator`]: who does it, and whether a creation that is not finished will ever be.
//! - [`background`], [`shared`]: work that can be given up, and what all cages of a host share.
//! - [`labels`]: how everything of ours is found again.
//! - [`extra_folder`], [`folders`]: folders beside the project, what is known of them, and how they come and go.
//! - [`task`], [`agent`], [`credential`], [`auth_mode`], [`secret`]: what an agent is launched with.
//! - [`launch`], [`agent_run`]: an agent on a task, in the background and in the foreground.
//! - [`handle`]: the cage itself; [`place`]: the same, as the rest of this crate sees it.
//! - [`sent`]: what of the host went into it, and when.
//! - [`lifecycle`]: its stops and starts. [`salvage`]: what is left in one that does not run. [`snapshot`], [`origin`]:
//!   its copies. [`bring_home`]: what was done in it.
//! - [`watch`]: what it does.

mod agent;
mod agent_run;
mod auth_mode;
mod background;
mod bring_home;
mod clone;
mod create;
mod create_plan;
mod creation;
mod creator;
mod credential;
mod extra_folder;
mod fill;
mod folder_name;
mod folders;
mod git_repo;
mod handle;
pub(crate) mod labels;
mod launch;
mod lifecycle;
mod name;
mod origin;
mod place;
mod progress;
mod resources;
mod salvage;
mod secret;
mod sent;
mod shared;
mod snapshot;
mod spec;
mod task;
mod unfinished_folder;
mod watch;

pub use agent::Agent;
pub use agent_run::{AgentRun, MAX_STREAM_LINE_BYTES};
pub use auth_mode::AuthMode;
pub(crate) use create::start_create;
pub(crate) use create_plan::plan;
pub use create_plan::{CreatePlan, PlannedCopy};
pub use creation::Creation;
pub(crate) use creator::{Unfinished, creator};
pub use credential::Credential;
pub(crate) use credential::{check_gateway, complete, copy_file, from_host};
pub use extra_folder::ExtraFolder;
pub(crate) use extra_folder::{FolderNote, FolderRecord, NoteKind, from_label};
pub use folder_name::MAX_FOLDER_NAME_BYTES;
pub(crate) use folder_name::{FolderName, PROJECT};
pub use git_repo::GitRepo;
pub use handle::Cage;
pub use lifecycle::{CageState, DEFAULT_GRACE};
pub(crate) use name::CONTAINER_PREFIX;
pub use name::{CageName, MAX_NAME_BYTES, NameError};
pub(crate) use origin::Origin;
pub(crate) use place::{Place, Still};
pub use progress::CreateEvent;
pub use resources::{DEFAULT_CPUS, DEFAULT_MEMORY_BYTES, DEFAULT_PIDS};
pub use salvage::{Salvage, SalvagedMessage};
pub(crate) use secret::Secret;
pub(crate) use sent::Sent;
pub(crate) use shared::Shared;
pub use snapshot::Snapshot;
pub(crate) use snapshot::{Copying, fork_snapshot};
pub use spec::{CageSpec, DEFAULT_IMAGE, MAX_FOLDERS, Network};
pub(crate) use spec::{PlannedCage, Source};
pub use task::{MAX_PROMPT_BYTES, Task};
pub(crate) use unfinished_folder::undo_all as undo_unfinished_folders;
