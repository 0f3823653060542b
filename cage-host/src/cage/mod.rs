//! One cage: its wish, its life, its work.
//!
//! - [`name`], [`resources`], [`spec`], [`task`]: what is asked for, checked at the door.
//! - [`labels`]: how everything of ours is found again.
//! - [`create`]: from a spec to a cage, or to nothing at all.
//! - [`creator`]: who does it, and whether a creation that is not finished will ever be.
//! - [`launch`]: an agent on a task.
//! - [`handle`]: the cage itself. [`lifecycle`]: its stops and starts. [`salvage`]: what is left in one that does not run. [`bring_home`]: what was done in it.

mod bring_home;
mod create;
mod creator;
mod handle;
pub(crate) mod labels;
mod launch;
mod lifecycle;
mod name;
mod place;
mod resources;
mod salvage;
mod spec;
mod task;

pub(crate) use create::create;
pub(crate) use creator::{Unfinished, creator};
pub use handle::Cage;
pub use lifecycle::{CageState, DEFAULT_GRACE};
pub(crate) use name::CONTAINER_PREFIX;
pub use name::{CageName, MAX_NAME_BYTES, NameError};
pub(crate) use place::{Place, Still};
pub use resources::{DEFAULT_CPUS, DEFAULT_MEMORY_BYTES, DEFAULT_PIDS};
pub use salvage::{Salvage, SalvagedMessage};
pub(crate) use spec::PlannedCage;
pub use spec::{CageSpec, DEFAULT_IMAGE, Network};
pub use task::{Agent, MAX_PROMPT_BYTES, Task};
