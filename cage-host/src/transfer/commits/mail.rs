//! A commit as a mail, as `git am` reads it. All of it is written here, so that the agent's words stay words: none of
//! them can end the message, begin another mail or begin a patch.

use std::io;
use std::time::Instant;

use chrono::{DateTime, Datelike as _, Utc};

use super::super::changes::ChangeKind;
use super::super::spool::Spool;
use super::commit_text::Author;
use super::mail_file::push_file;
use super::patches::Patch;
use super::sieve::AllowedFile;

/// By this line git knows a mail that holds a commit.
const FIRST_LINE_END: &str = "Mon Sep 17 00:00:00 2001";

/// From this year on git takes no date that is written as in a mail.
const FIRST_YEAR_UNKNOWN_TO_GIT: i32 = 2100;

/// What stands where a commit has no subject, since git refuses to take one over that has no message.
const NO_SUBJECT: &str = "(no subject)";

/// What a line of a message must not begin with: git would take it for the beginning of a patch, of another mail, or of
/// something else than the message.
const MEANINGS: [&str; 9] =
    ["diff -", "---", "Index: ", "From", ">From", "Subject:", "Date:", "[PATCH]", "Content-"];

/// Writes a commit of which these files are taken over.
pub(super) fn write(
    patch: &Patch,
    files: &[AllowedFile<'_>],
    spool: &Spool,
    deadline: Instant,
) -> io::Result<String> {
    let mut text = head(patch);
    // Deleted first, so that a file can make place for a folder of its name.
    let (deleted, kept): (Vec<_>, Vec<_>) =
        files.iter().partition(|file| file.change.kind == ChangeKind::Deleted);
    for file in deleted.into_iter().chain(kept) {
        push_file(&mut text, file, spool, deadline)?;
    }
    text.push('\n');
    Ok(text)
}

fn head(patch: &Patch) -> String {
    let (id, author, date) = (patch.id(), from(patch.author()), date(patch.date().instant()));
    let subject = if patch.subject().is_empty() { NO_SUBJECT } else { patch.subject() };
    let subject = in_header(subject);
    let mut text = format!(
        "From {id} {FIRST_LINE_END}\nFrom: {author}\nDate: {date}\nSubject: [PATCH] {subject}\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n"
    );
    for line in patch.body().lines() {
        let means_more = MEANINGS.iter().any(|meaning| line.starts_with(meaning));
        text.push_str(if means_more { " " } else { "" });
        text.push_str(line);
        text.push('\n');
    }
    text.push_str("---\n\n");
    text
}

/// Writes a date as mails do, or the way that git understands of any year.
fn date(date: DateTime<Utc>) -> String {
    if date.year() < FIRST_YEAR_UNKNOWN_TO_GIT {
        date.to_rfc2822()
    } else {
        format!("@{} +0000", date.timestamp())
    }
}

fn from(author: &Author) -> String {
    let name = in_header(&author.name).replace(['"', '\\'], "'");
    format!("\"{name}\" <{}>", author.email)
}

/// Keeps text from being decoded.
fn in_header(text: &str) -> String {
    text.replace("=?", "= ?")
}
