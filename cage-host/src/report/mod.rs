//! What a run was like, from evidence: for whoever wants the next one to be better.
//!
//! - [`evidence`]: what was seen of a run: messages, log, session, changes.
//! - [`gather`]: the programs in the cage that find it.
//! - [`run_report`]: the report's types, and the way from evidence to report (pure).
//! - [`sections`]: authentication, launch, messaging, monitoring, export, errors, each graded (pure).
//! - [`measures`]: the numbers (pure); [`messaging`]: those of the times between messages.
//! - [`troubles`]: what went wrong and what became of it (pure).
//! - [`timeline`]: what happened when (pure); [`svg`] draws it.
//! - [`html`]: the report as one page that needs nothing else.
//! - [`comparison`]: two runs side by side (pure).
//!
//! An agent can write all that is looked at here. So a report is what the cage says; and all text in it has been made
//! safe to show on a terminal, cut to one line, and escaped where it goes into markup.

mod comparison;
mod evidence;
mod gather;
mod html;
mod measures;
mod messaging;
mod run_report;
mod sections;
mod svg;
#[cfg(test)]
mod tests;
mod timeline;
mod troubles;

pub use comparison::{Comparison, Difference, Measured, SectionGrades};
pub(crate) use gather::report;
pub use measures::Measures;
pub use run_report::{Grade, Outcome, Remark, RunReport, Section, Sections};
pub use timeline::{Moment, Track};
pub use troubles::Trouble;
