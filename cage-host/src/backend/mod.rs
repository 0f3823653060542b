//! What a cage needs from the place that it runs in.
//!
//! - [`exec`]: one program, its streams and its exit code — the primitive that the rest of the crate is built on.
//! - [`dispatch`]: the two backends behind one enum.
//! - [`layout`]: where things lie inside a cage.

mod dispatch;
mod exec;
mod layout;

pub(crate) use dispatch::{Archive, Backend, CageId, Found};
pub(crate) use exec::{Chunk, Exec, Exit, Feeder, Running, Stdin};
pub(crate) use layout::{Layout, USER};
