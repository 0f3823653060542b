//! The report's types, and the way from evidence to report.

use cage_proto::message::Timestamp;
use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, said};
use super::measures::Measures;
use super::sections;
use super::timeline::{self, Moment};
use super::troubles::{self, Trouble};
use crate::watch::Activity;

/// The version of the report's JSON.
const VERSION: u32 = 1;

/// What a run was like, as far as the cage shows it.
///
/// It is read from JSON as well, so that a run can be compared with one whose cage is gone. All text is one line and
/// safe to show. What was not found out is missing, and a section says so.
///
/// ```no_run
/// # async fn story(cage: cage_host::Cage) -> cage_host::Result<()> {
/// use cage_host::Grade;
///
/// let report = cage.report(Some(".".as_ref())).await?;
/// if report.sections.messaging.grade == Grade::Bad {
///     println!("{:?}", report.sections.messaging.remarks);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunReport {
    /// Version of this form; 1.
    pub report_version: u32,
    /// Name of the cage.
    pub cage: String,
    /// When the cage was looked at.
    pub taken_at: Timestamp,
    /// How it stands.
    pub outcome: Outcome,
    /// The numbers.
    pub measures: Measures,
    /// Each part of the run, graded.
    pub sections: Sections,
    /// What went wrong, at most 200 of it.
    pub troubles: Vec<Trouble>,
    /// Troubles that did not fit.
    pub troubles_more: u64,
    /// What happened when, at most 1,000 moments, the newest.
    pub timeline: Vec<Moment>,
    /// Earlier moments that did not fit.
    pub timeline_more: u64,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Outcome {
    /// What the cage is doing, in one word, for example `complete`.
    pub state: String,
    /// The agent's own exit code, when it reported its task complete.
    pub exit_code: Option<i64>,
    /// What the cage says about it.
    pub summary: String,
}

/// The parts of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sections {
    /// Whether the API accepted the credential.
    pub authentication: Section,
    /// Whether and how the agent began.
    pub launch: Section,
    /// Whether messages were well-formed, complete and frequent enough.
    pub messaging: Section,
    /// How soon somebody reacted.
    pub monitoring: Section,
    /// What of the work can be brought home.
    pub export: Section,
    /// What went wrong and whether the agent recovered.
    pub errors: Section,
}

/// A part of a run: its grade is that of its worst remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Section {
    /// How it was.
    pub grade: Grade,
    /// What was seen.
    pub remarks: Vec<Remark>,
}

/// Something that was seen, or was not found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Remark {
    /// How it is.
    pub grade: Grade,
    /// One line, safe to show.
    pub text: String,
}

/// How something was. The order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grade {
    /// As it should be.
    Good,
    /// Not found out.
    Unknown,
    /// Worth a look.
    Concern,
    /// The run suffered from it.
    Bad,
}

impl RunReport {
    /// Says what a run was like.
    pub(super) fn of(evidence: &Evidence) -> Self {
        let (troubles, troubles_more) = troubles::of(evidence);
        let measures = Measures::of(evidence, &troubles);
        let (timeline, timeline_more) = timeline::of(evidence);
        Self {
            report_version: VERSION,
            cage: evidence.cage.clone(),
            taken_at: evidence.taken_at.into(),
            outcome: Outcome::of(evidence.activity()),
            sections: sections::of(evidence, &measures, &troubles),
            measures,
            troubles,
            troubles_more,
            timeline,
            timeline_more,
        }
    }

    /// Returns the sections with their names, in the order in which a run goes through them.
    pub fn sections(&self) -> [(&'static str, &Section); 6] {
        let sections = &self.sections;
        [
            ("authentication", &sections.authentication),
            ("launch", &sections.launch),
            ("messaging", &sections.messaging),
            ("monitoring", &sections.monitoring),
            ("export", &sections.export),
            ("errors", &sections.errors),
        ]
    }

    /// Returns the timeline as a picture: SVG, readable on light and on dark.
    pub fn timeline_svg(&self) -> String {
        super::svg::draw(&self.timeline)
    }

    /// Returns the report as one HTML page with the picture in it. It loads nothing and runs nothing.
    pub fn to_html(&self) -> String {
        super::html::page(self)
    }
}

impl Outcome {
    fn of(activity: &Activity) -> Self {
        let exit_code = match activity {
            Activity::Complete { exit_code, .. } => Some(*exit_code),
            _ => None,
        };
        Self { state: activity.word().to_owned(), exit_code, summary: said(&activity.to_string()) }
    }
}

impl Section {
    pub(super) fn of(remarks: Vec<Remark>) -> Self {
        let grade = remarks.iter().map(|remark| remark.grade).max().unwrap_or(Grade::Unknown);
        Self { grade, remarks }
    }
}

impl Remark {
    pub(super) fn new(grade: Grade, text: impl Into<String>) -> Self {
        Self { grade, text: text.into() }
    }
}

impl Grade {
    /// Returns the grade as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Concern => "concern",
            Self::Bad => "bad",
        }
    }
}
