//! Whether an engine is fit for cages.
//!
//! - [`report`]: what is handed out: facts, findings, verdicts.
//! - [`examine`]: asks the engine.
//! - [`checks`]: judges its answers, without an engine.
//! - [`versions`]: versions with known ways out of a container.

mod checks;
mod examine;
mod report;
mod versions;

pub use examine::doctor;
pub use report::{EngineFacts, Finding, OciRuntime, Product, Report, Subject, Verdict};

pub(crate) use checks::unlimited;
pub(crate) use examine::examine;
