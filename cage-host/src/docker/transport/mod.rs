//! The ways to an engine: a socket and plain HTTP by bollard, TLS and ssh by connectors of our own.
//!
//! - [`open`]: chooses among them.
//! - [`ssh`]: the program `ssh`, and the engine's socket at its far end.
//! - [`tls`]: TLS that trusts one authority.

mod open;
mod ssh;
#[cfg(feature = "tls")]
mod tls;

pub(super) use open::open;
