//! Files between the host and a cage.
//!
//! - [`walk`]: a project folder of the host, `.gitignore` respected.
//! - [`pack`]: that folder as a tar stream.
//! - [`safe_path`]: paths that stay inside a folder.

mod pack;
mod safe_path;
mod walk;

pub use pack::Arrival;
pub(crate) use pack::{Packing, pack};
