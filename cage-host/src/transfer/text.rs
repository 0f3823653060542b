//! Changes line by line.

use std::io::Read as _;
use std::time::{Duration, Instant};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use similar::{Algorithm, ChangeTag, TextDiff};

use super::beneath::open_beneath;
use super::changes::{Change, ChangeKind, Inner};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use super::statistics::{Lines, Statistics};
use crate::sanitize::{sanitize, sanitize_path};

/// Longest text, in bytes, that is compared line by line.
pub(super) const MAX_TEXT_BYTES: u64 = 1024 * 1024;

/// Longest time for comparing one file; after it the comparison is coarser, not wrong.
const TEXT_DEADLINE: Duration = Duration::from_secs(1);

/// Longest time for comparing all files of a statistic; after it the rest is compared coarsely.
const STATISTICS_DEADLINE: Duration = Duration::from_secs(10);

/// Lines shown around each change.
const CONTEXT_LINES: usize = 3;

impl Inner {
    pub(super) fn unified_text(&self, change: &Change) -> String {
        let path = sanitize_path(change.path());
        let Some(after) = change.content else { return format!("{} {path}\n", change.kind) };
        let before = match change.kind {
            ChangeKind::Modified => self.text_on_host(&change.path),
            _ => Some(String::new()),
        };
        let (Some(before), Some(after)) = (before, text_in_spool(&self.spool, after)) else {
            return format!("{} {path}: no text, or longer than {MAX_TEXT_BYTES} bytes\n", change.kind);
        };
        let old = if change.kind == ChangeKind::Added { "/dev/null".to_owned() } else { format!("a/{path}") };
        unified(&before, &after, &old, &format!("b/{path}"), Instant::now() + TEXT_DEADLINE)
    }

    pub(super) fn statistics(&self) -> Statistics {
        let deadline = Instant::now() + STATISTICS_DEADLINE;
        let mut statistics = Statistics::default();
        for change in &self.list {
            statistics.add(change.path(), self.lines(change, deadline));
        }
        statistics
    }

    fn lines(&self, change: &Change, deadline: Instant) -> Option<Lines> {
        let before = || self.text_on_host(&change.path);
        let after = || change.content.and_then(|span| text_in_spool(&self.spool, span));
        match change.kind {
            _ if change.moved.is_some() => Some(Lines::default()),
            ChangeKind::ModeChanged => Some(Lines::default()),
            ChangeKind::Added => Some(Lines { added: lines_in(&after()?), removed: 0 }),
            ChangeKind::Deleted => Some(Lines { added: 0, removed: lines_in(&before()?) }),
            ChangeKind::Modified => Some(compare_lines(&before()?, &after()?, deadline)),
        }
    }

    fn text_on_host(&self, path: &SafePath) -> Option<String> {
        let dir = Dir::open_ambient_dir(&self.dir, ambient_authority()).ok()?;
        read_text(open_beneath(&dir, path).ok()?)
    }
}

/// Writes the difference of two texts, safe to show.
pub(super) fn unified(before: &str, after: &str, old: &str, new: &str, deadline: Instant) -> String {
    let mut config = TextDiff::configure();
    config.algorithm(Algorithm::Myers).deadline(deadline.min(Instant::now() + TEXT_DEADLINE));
    let diff = config.diff_lines(before, after);
    sanitize(&diff.unified_diff().context_radius(CONTEXT_LINES).header(old, new).to_string())
}

/// Counts the lines that two texts do not share.
pub(super) fn compare_lines(before: &str, after: &str, deadline: Instant) -> Lines {
    let mut config = TextDiff::configure();
    config.algorithm(Algorithm::Myers).deadline(deadline.min(Instant::now() + TEXT_DEADLINE));
    let diff = config.diff_lines(before, after);
    let mut lines = Lines::default();
    for change in diff.iter_all_changes() {
        match change.tag() {
            ChangeTag::Insert => lines.added += 1,
            ChangeTag::Delete => lines.removed += 1,
            ChangeTag::Equal => {}
        }
    }
    lines
}

pub(super) fn lines_in(text: &str) -> u64 {
    text.lines().count() as u64
}

pub(super) fn text_in_spool(spool: &Spool, span: Span) -> Option<String> {
    read_text(spool.reader(span))
}

fn read_text(reader: impl std::io::Read) -> Option<String> {
    let mut bytes = Vec::new();
    reader.take(MAX_TEXT_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_TEXT_BYTES || bytes.contains(&0) {
        return None;
    }
    String::from_utf8(bytes).ok()
}
