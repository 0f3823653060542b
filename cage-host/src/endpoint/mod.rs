//! Where an engine listens.
//!
//! - [`address`]: the forms of an address and what is refused.
//! - [`resolve`]: which engine an environment means, as a pure function of its variables and files.
//! - [`surroundings`]: the variables and files of this process.

mod address;
mod resolve;
mod surroundings;

pub use resolve::Endpoint;

pub(crate) use address::{Address, SshTarget};
pub(crate) use resolve::Certificates;
