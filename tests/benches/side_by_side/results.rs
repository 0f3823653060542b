//! What was measured, as a file for programs and a table for people.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value, json};

/// What was measured under one name: medians, unless the name says otherwise.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Row {
    pub(crate) ours: Option<f64>,
    pub(crate) peer: Option<f64>,
    /// The least that this can cost: what both have to do at the very least.
    pub(crate) floor: Option<f64>,
    pub(crate) unit: &'static str,
    /// How often each side was measured; the peer is measured less often where a run takes long.
    pub(crate) runs: usize,
    /// What a reader has to know: how a side was measured, or why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Row {
    /// Adds a remark behind those that are there.
    pub(crate) fn remark(mut self, text: impl fmt::Display) -> Self {
        self.note = Some(match self.note {
            Some(note) => format!("{note}; {text}"),
            None => text.to_string(),
        });
        self
    }
}

/// The rows of this run, and those of an earlier one that it does not measure again.
#[derive(Debug, Default)]
pub(crate) struct Results(Map<String, Value>);

impl Results {
    /// Takes a row and shows it, so that a run that is ended early has said what it knew.
    pub(crate) fn add(&mut self, name: &'static str, row: &Row) {
        println!("{}", Line(name, row));
        self.0.insert(name.to_owned(), json!(row));
    }

    /// Begins with what an earlier run wrote, for a run that measures some rows only.
    pub(crate) fn read(path: &Path) -> Self {
        Self(fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// Writes what programs read.
    pub(crate) fn write(&self, path: &Path) -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, serde_json::to_string_pretty(&self.0)? + "\n")
    }
}

/// The head of the table that the rows make.
pub(crate) const HEAD: &str =
    "| | ours | the peer | ratio | floor | unit | runs |\n|---|---|---|---|---|---|---|";

/// One row as a line of a Markdown table.
struct Line<'a>(&'static str, &'a Row);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { ours, peer, floor, unit, runs, note } = self.1;
        let ratio = match (ours, peer) {
            (Some(ours), Some(peer)) if *ours > 0.0 => format!("{}×", figure(Some(peer / ours))),
            _ => "–".to_owned(),
        };
        let (ours, peer, floor) = (figure(*ours), figure(*peer), figure(*floor));
        write!(f, "| `{}` | {ours} | {peer} | {ratio} | {floor} | {unit} | {runs} |", self.0)?;
        match note {
            Some(note) => write!(f, " <!-- {note} -->"),
            None => Ok(()),
        }
    }
}

/// Three digits say all that such a measurement knows.
fn figure(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value == 0.0 || value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) if value.abs() >= 1.0 => format!("{value:.2}"),
        Some(value) => format!("{value:.3}"),
    }
}
