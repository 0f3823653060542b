//! The task that a launch was given.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::error::SuperviseError;
use crate::files::{self, FileError};

/// Bytes of a task file; what Claude Code takes on its stdin.
const TASK_BYTES_MAX: usize = 10 * 1024 * 1024;

/// What the agent is to do first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) text: String,
    /// Tells this task from another one.
    pub(super) key: TaskKey,
}

/// Tells one task from another. A host writes the task's file anew for each task, also for the same text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TaskKey {
    /// A file, by its time of change and its size.
    File { modified_ns: u128, bytes: u64 },
    /// Words on the command line. The same words again may well be meant as a new task.
    Words(u64),
}

impl TaskKey {
    pub(super) fn text(&self) -> String {
        match self {
            Self::File { modified_ns, bytes } => format!("file {modified_ns} {bytes}"),
            Self::Words(hash) => format!("words {hash:016x}"),
        }
    }
}

/// Reads the task: the file's text, then what stood on the command line.
pub(super) fn read(path: Option<&Path>, prompt: Option<&str>) -> Result<Option<Task>, SuperviseError> {
    let Some(path) = path else {
        return Ok(prompt.map(|prompt| {
            let mut hasher = DefaultHasher::new();
            prompt.hash(&mut hasher);
            Task { text: prompt.to_owned(), key: TaskKey::Words(hasher.finish()) }
        }));
    };
    let bytes = files::read(path, TASK_BYTES_MAX)?.ok_or_else(|| SuperviseError::NoTask(path.to_owned()))?;
    let metadata = path.metadata().map_err(|error| FileError::new("look at", path, error))?;
    let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let key = TaskKey::File { modified_ns: modified.unwrap_or_default().as_nanos(), bytes: metadata.len() };
    let text = String::from_utf8(bytes).map_err(|_| SuperviseError::TaskNotText(path.to_owned()))?;
    let text = join(text.trim(), prompt.unwrap_or_default());
    if text.is_empty() {
        return Err(SuperviseError::EmptyTask(path.to_owned()));
    }
    Ok(Some(Task { text, key }))
}

/// Joins two texts, either of which may be empty.
pub(super) fn join(one: &str, other: &str) -> String {
    let gap = if one.is_empty() || other.is_empty() { "" } else { "\n\n" };
    format!("{one}{gap}{other}")
}
