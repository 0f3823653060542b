//! `cage diff`.

use std::fmt;
use std::path::{Path, PathBuf};

use anstyle::Style;
use cage_host::{Change, ChangeKind, Changes, LanguageLines, RefusedPath};
use serde::Serialize;

use super::folders::Folders;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, FAINT, GOOD, NAME, Page, Progress, WARN};

/// Options of `cage diff`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    #[command(flatten)]
    folders: Folders,
    /// Show each change line by line
    #[arg(long)]
    full: bool,
    /// Count the lines by language
    #[arg(long)]
    stats: bool,
    /// Look into environments, installed packages and caches too
    #[arg(long)]
    include_cache: bool,
    /// Accepted for scripts: what export --delete would delete is always shown
    #[arg(long, hide = true)]
    delete: bool,
    /// Accepted for scripts: caches are left out anyway
    #[arg(long, hide = true)]
    no_tidy: bool,
}

/// What the agent changed.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    cage: String,
    folder: String,
    dir: PathBuf,
    changes: Vec<Row>,
    changed_here: Vec<String>,
    protected: Vec<Protected>,
    refused: Vec<Refused>,
    refused_more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Vec<Lines>>,
}

/// A place whose changes are none.
#[derive(Debug, Serialize)]
struct Protected {
    path: String,
    files: u64,
}

/// The lines of one language.
#[derive(Debug, Serialize)]
pub(super) struct Lines {
    language: &'static str,
    files: u64,
    added: u64,
    removed: u64,
    uncounted: u64,
}

#[derive(Debug, Serialize)]
struct Row {
    path: String,
    kind: &'static str,
    #[serde(skip)]
    letter: String,
    size_bytes: Option<u64>,
    held_back: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// A path that was not taken, and why.
#[derive(Debug, Serialize)]
pub(super) struct Refused {
    pub(super) path: String,
    pub(super) reason: String,
}

impl From<&RefusedPath> for Refused {
    fn from(refused: &RefusedPath) -> Self {
        Self { path: refused.path.clone(), reason: refused.reason.clone() }
    }
}

impl From<&Change> for Row {
    fn from(change: &Change) -> Self {
        let kind = match change.kind() {
            ChangeKind::Added => "added",
            ChangeKind::Modified => "modified",
            ChangeKind::Deleted => "deleted",
            ChangeKind::ModeChanged => "mode_changed",
            _ => "other",
        };
        Self {
            path: cage_host::sanitize_path(change.path()),
            kind,
            letter: change.kind().to_string(),
            size_bytes: change.size(),
            held_back: change.hold().map(|hold| hold.to_string()),
            moved: change.moved().map(cage_host::sanitize_path),
            text: None,
        }
    }
}

impl Difference {
    /// Collects what is shown of changes.
    pub(super) fn new(changes: &Changes, dir: &Path) -> Self {
        Self {
            cage: changes.cage().to_string(),
            folder: changes.folder().to_owned(),
            dir: dir.to_owned(),
            changes: changes.iter().map(Row::from).collect(),
            changed_here: changes
                .changed_here()
                .map(|change| cage_host::sanitize_path(change.path()))
                .collect(),
            protected: changes
                .protected()
                .iter()
                .map(|place| Protected { path: place.path.clone(), files: place.files })
                .collect(),
            refused: changes.refused().iter().map(Refused::from).collect(),
            refused_more: changes.refused_more(),
            stats: None,
        }
    }

    /// Adds each change line by line.
    pub(super) async fn with_text(mut self, changes: &Changes) -> Result<Self, Failure> {
        for (row, change) in self.changes.iter_mut().zip(changes) {
            row.text = Some(changes.unified_text(change).await?);
        }
        Ok(self)
    }

    fn show_changed_here(&self, page: &mut Page) -> fmt::Result {
        let way = if self.folder == "project" { ", which cage sync brings into the cage" } else { "" };
        let files = match self.changed_here.len() {
            0 => return Ok(()),
            1 => "1 file was".to_owned(),
            files => format!("{files} files were"),
        };
        page.styled(FAINT, format_args!("{files} changed here alone{way}"))?;
        page.line("")
    }

    fn summary(&self) -> String {
        let count = |kind| self.changes.iter().filter(|row| row.kind == kind).count();
        let (added, modified, deleted) = (count("added"), count("modified"), count("deleted"));
        let held = self.changes.iter().filter(|row| row.held_back.is_some()).count();
        let held = if held > 0 { format!(", {held} held back") } else { String::new() };
        format!("{added} added, {modified} modified, {deleted} deleted{held}")
    }
}

impl Answer for Difference {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.changes.is_empty() && self.refused.is_empty() && self.protected.is_empty() {
            page.line(format_args!("{} has changed nothing", self.cage))?;
            return self.show_changed_here(page);
        }
        self.changes.iter().try_for_each(|row| row.show(page))?;
        for refused in &self.refused {
            page.styled(ALARM, "refused")?;
            page.line(format_args!(" {}: {}", refused.path, refused.reason))?;
        }
        if self.refused_more > 0 {
            page.line(format_args!("refused {} more", self.refused_more))?;
        }
        for place in &self.protected {
            page.styled(FAINT, format_args!("protected {}: {} files differ", place.path, place.files))?;
            page.line("")?;
        }
        self.show_changed_here(page)?;
        Lines::show_all(self.stats.as_deref(), page)?;
        page.styled(FAINT, self.summary())?;
        page.line("")
    }
}

impl Lines {
    /// Counts the lines of changes.
    pub(super) async fn of(changes: &Changes) -> Result<Vec<Self>, Failure> {
        let row = |(language, lines): (_, LanguageLines)| Self {
            language,
            files: lines.files,
            added: lines.added,
            removed: lines.removed,
            uncounted: lines.uncounted,
        };
        Ok(changes.statistics().await?.languages().map(row).collect())
    }

    /// Shows them as a table, if they were counted.
    pub(super) fn show_all(all: Option<&[Self]>, page: &mut Page) -> fmt::Result {
        let Some(all) = all else { return Ok(()) };
        let cells = |lines: &Self| {
            let numbers =
                [format!("+{}", lines.added), format!("-{}", lines.removed), lines.files.to_string()];
            let mut cells = vec![(Style::new(), lines.language.to_owned())];
            cells.extend([GOOD, ALARM, Style::new()].into_iter().zip(numbers));
            cells
        };
        page.table(&["LANGUAGE", "ADDED", "REMOVED", "FILES"], &all.iter().map(cells).collect::<Vec<_>>())
    }
}

impl Row {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if let Some(text) = &self.text {
            return text.lines().try_for_each(|line| show_diff_line(page, line));
        }
        let style = match self.kind {
            "added" => GOOD,
            "deleted" => ALARM,
            _ => WARN,
        };
        page.styled(style, &self.letter)?;
        page.text(format_args!(" {}", self.path))?;
        if let Some(other) = &self.moved {
            let way = if self.kind == "deleted" { "to" } else { "from" };
            page.styled(FAINT, format_args!("  (moved {way} {other})"))?;
        }
        if let Some(reason) = &self.held_back {
            page.styled(FAINT, format_args!("  (held back: {reason})"))?;
        }
        page.line("")
    }
}

fn show_diff_line(page: &mut Page, line: &str) -> fmt::Result {
    match line.as_bytes().first() {
        Some(b'+') => page.styled(GOOD, line)?,
        Some(b'-') => page.styled(ALARM, line)?,
        Some(b'@') => page.styled(FAINT, line)?,
        _ => page.text(line)?,
    }
    page.line("")
}

/// Shows answers about several folders, each under the name of its folder, or the one that was asked for.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Answers<T> {
    One(T),
    Many(Vec<T>),
}

/// An answer about one folder of a cage.
pub(super) trait OfFolder: Answer {
    /// The folder of the cage and the one of this machine.
    fn folder(&self) -> (&str, &Path);
}

impl OfFolder for Difference {
    fn folder(&self) -> (&str, &Path) {
        (&self.folder, &self.dir)
    }
}

impl<T> Answers<T> {
    /// Returns the answers as a list if several folders were asked for.
    pub(super) fn new(mut answers: Vec<T>, many: bool) -> Self {
        match answers.pop() {
            Some(only) if !many && answers.is_empty() => Self::One(only),
            last => Self::Many(answers.into_iter().chain(last).collect()),
        }
    }
}

impl<T: OfFolder> Answer for Answers<T> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        match self {
            Self::One(answer) => answer.show(page),
            Self::Many(answers) => answers.iter().try_for_each(|answer| {
                let (folder, dir) = answer.folder();
                page.styled(NAME, folder)?;
                page.line(format_args!(" ({}):", dir.display()))?;
                answer.show(page)
            }),
        }
    }
}

/// Shows what the agent changed.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    args.folders.check_output_dir()?;
    let cage = context.cage(&args.name).await?;
    let progress = Progress::begin(screen, &format!("comparing {} …", args.name));
    let mut differences = Vec::new();
    for pair in args.folders.of(&cage).await? {
        let changes = cage.diff_with(&pair.dir, pair.options(args.include_cache)).await?;
        differences.push(args.difference(&changes, &pair.dir).await?);
    }
    drop(progress);
    screen.answer(&Answers::new(differences, args.folders.are_many()))?;
    Ok(Exit::Ok)
}

impl Args {
    async fn difference(&self, changes: &Changes, dir: &Path) -> Result<Difference, Failure> {
        let mut difference = Difference::new(changes, dir);
        if self.full {
            difference = difference.with_text(changes).await?;
        }
        if self.stats {
            difference.stats = Some(Lines::of(changes).await?);
        }
        Ok(difference)
    }
}
