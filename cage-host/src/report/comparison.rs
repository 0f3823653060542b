//! Two runs side by side.

use serde::Serialize;

use super::evidence::{in_words, rounded};
use super::measures::Measures;
use super::run_report::{Grade, RunReport};

/// What two runs of perhaps the same task have in common and what not.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// Name of the first cage.
    pub a: String,
    /// Name of the second cage.
    pub b: String,
    /// How the first one stands.
    pub outcome_a: String,
    /// How the second one stands.
    pub outcome_b: String,
    /// The grades of each section.
    pub sections: Vec<SectionGrades>,
    /// The numbers.
    pub differences: Vec<Difference>,
}

/// How a part of two runs was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SectionGrades {
    /// The part, for example `messaging`.
    pub name: &'static str,
    /// How it was in the first run.
    pub a: Grade,
    /// How it was in the second run.
    pub b: Grade,
}

/// One number of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What it is.
    pub name: &'static str,
    /// Its unit, empty for a mere count.
    pub unit: &'static str,
    /// Its value in the first run; nothing when it is not known.
    pub a: Option<f64>,
    /// Its value in the second run.
    pub b: Option<f64>,
    /// Whether the second run is the better one; nothing when nobody can say, or both are equal.
    pub better: Option<bool>,
}

/// One number of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Measured {
    /// What it is.
    pub name: &'static str,
    /// Its unit, empty for a mere count.
    pub unit: &'static str,
    /// Its value; nothing when it is not known.
    pub value: Option<f64>,
    /// Whether less of it is better; for other numbers nobody can say.
    pub less_is_better: bool,
}

impl Measured {
    /// Writes a value of this number as a person reads it.
    pub fn shown(&self, value: f64) -> String {
        match self.unit {
            "s" => in_words(value),
            "USD" => format!("${value:.4}"),
            _ => format!("{value:.0}"),
        }
    }
}

impl Measures {
    /// Returns the numbers with their names.
    pub fn named(&self) -> Vec<Measured> {
        #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are none that anybody compares")]
        let number = |count: u64| Some(count as f64);
        let less = |name, unit, value| Measured { name, unit, value, less_is_better: true };
        let plain = |name, value| Measured { name, unit: "", value, less_is_better: false };
        vec![
            less("first message after", "s", self.first_message_seconds),
            less("complete after", "s", self.completed_seconds),
            less("cost", "USD", self.cost_usd),
            less("input tokens", "", self.input_tokens.and_then(number)),
            less("output tokens", "", self.output_tokens.and_then(number)),
            plain("tokens read from the cache", self.cache_read_tokens.and_then(number)),
            plain("tokens put into the cache", self.cache_creation_tokens.and_then(number)),
            less("turns", "", self.turns.and_then(number)),
            plain("messages from the agent", number(self.messages_sent)),
            plain("messages to the agent", number(self.messages_received)),
            less("malformed files", "", number(self.malformed)),
            less("missing messages", "", number(self.missing)),
            plain("median gap between messages", self.median_gap_seconds).unit("s"),
            less("longest gap between messages", "s", self.longest_gap_seconds),
            plain("questions", number(self.questions)),
            less("unanswered questions", "", number(self.unanswered)),
            less("revisions", "", number(self.revisions)),
            less("longest reaction of the host", "s", self.longest_reaction_seconds),
            less("troubles", "", number(self.troubles)),
            less("troubles without recovery", "", number(self.not_recovered)),
            plain("tool uses", number(self.tool_uses)),
            less("tool errors", "", number(self.tool_errors)),
            less("failed calls of the API", "", number(self.api_failures)),
            plain("changed files", self.files_changed.and_then(number)),
            less("held-back files", "", self.held_back.and_then(number)),
        ]
    }
}

impl Measured {
    fn unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }
}

impl Comparison {
    /// Compares two runs.
    pub fn of(a: &RunReport, b: &RunReport) -> Self {
        let sections = a.sections().into_iter().zip(b.sections());
        let numbers = a.measures.named().into_iter().zip(b.measures.named());
        Self {
            a: a.cage.clone(),
            b: b.cage.clone(),
            outcome_a: a.outcome.summary.clone(),
            outcome_b: b.outcome.summary.clone(),
            sections: sections
                .map(|((name, a), (_, b))| SectionGrades { name, a: a.grade, b: b.grade })
                .collect(),
            differences: numbers.map(|(a, b)| Difference::of(a, b)).collect(),
        }
    }
}

impl Difference {
    fn of(a: Measured, b: Measured) -> Self {
        let better = a.value.zip(b.value).filter(|(x, y)| a.less_is_better && x.total_cmp(y).is_ne());
        Self {
            name: a.name,
            unit: a.unit,
            a: a.value.map(rounded),
            b: b.value.map(rounded),
            better: better.map(|(x, y)| y < x),
        }
    }

    /// Returns both numbers as a person reads them.
    pub fn shown(&self) -> [String; 2] {
        let measured = Measured { name: self.name, unit: self.unit, value: None, less_is_better: false };
        [self.a, self.b]
            .map(|value| value.map_or_else(|| "not known".to_owned(), |value| measured.shown(value)))
    }
}
