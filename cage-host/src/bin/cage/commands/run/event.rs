//! What a program reads of `cage run`, line by line.

use std::fmt;

use serde::Serialize;

use crate::output::{ALARM, Answer, FAINT, GOOD, Notice, Page, WARN, count};

/// One step of the way.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    /// The cage exists.
    Created { cage: &'a str, files: u64, bytes: u64 },
    /// The agent works.
    Launched { cage: &'a str },
    /// Something out of the outbox.
    Message { message: Notice<'a> },
    /// A question was answered.
    Answered { request_id: &'a str, sent: Vec<String>, refused: Vec<String> },
    /// A revision was sent.
    Revised { cage: &'a str },
    /// The changes were written.
    Exported {
        cage: &'a str,
        dir: String,
        written: usize,
        deleted: usize,
        left_out: Vec<String>,
        conflicts: Vec<String>,
    },
    /// The commits are a branch.
    Branched { cage: &'a str, branch: String, commits: usize },
    /// The cage is gone.
    Destroyed { cage: &'a str },
    /// The cage stays.
    Kept { cage: &'a str },
}

impl Answer for Event<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        match self {
            Self::Created { cage, files, .. } => {
                page.styled(GOOD, "created")?;
                page.line(format_args!(" {cage} with {}", count(*files, "file")))
            }
            Self::Launched { .. } => page.line("launched the agent; Ctrl-C pauses"),
            Self::Message { message } => message.show(page),
            Self::Answered { request_id, sent, refused } => {
                page.styled(
                    FAINT,
                    format_args!("answered {request_id}: sent {}", count(sent.len() as u64, "file")),
                )?;
                page.line("")?;
                refused.iter().try_for_each(|refused| page.line(format_args!("  not sent: {refused}")))
            }
            Self::Revised { .. } => page.line("sent the revision"),
            Self::Exported { dir, written, deleted, left_out, conflicts, .. } => {
                left_out.iter().try_for_each(|path| {
                    page.styled(WARN, "left out")?;
                    page.line(format_args!(" {path}"))
                })?;
                conflicts.iter().try_for_each(|conflict| {
                    page.styled(ALARM, "conflict")?;
                    page.line(format_args!(" {conflict}"))
                })?;
                page.styled(GOOD, "exported")?;
                page.line(format_args!(" {written} written, {deleted} deleted, in {dir}"))
            }
            Self::Branched { branch, commits, .. } => {
                page.line(format_args!("made the branch {branch} with {}", count(*commits as u64, "commit")))
            }
            Self::Destroyed { cage } => page.line(format_args!("destroyed {cage}")),
            Self::Kept { cage } => {
                page.line(format_args!("{cage} stays; cage export {cage}, then cage destroy {cage}"))
            }
        }
    }
}
