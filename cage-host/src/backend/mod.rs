//! What a cage needs from the place that it runs in.
//!
//! - [`exec`]: one program, its streams and its exit code — the primitive that the rest of the crate is built on.
//! - [`dispatch`]: the two backends behind one enum.
//! - [`birth`]: what is known of a cage from its beginning.
//! - [`retry`]: a long-running program that is started again when the connection to it is lost.
//! - [`layout`]: where things lie inside a cage.

mod birth;
mod dispatch;
mod exec;
mod layout;
mod retry;

pub(crate) use birth::Birth;
pub(crate) use dispatch::{Archive, Backend, CageId, Changes, Found, WrittenSince};
pub(crate) use exec::{Chunk, Exec, Exit, Feeder, Running, Stdin};
pub(crate) use layout::{Layout, USER};
pub(crate) use retry::{End, Retry};
