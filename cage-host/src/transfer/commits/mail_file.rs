//! One file of a commit as `git apply` reads it.
//!
//! What is no plain text goes as a binary patch: `git am` would take a carriage return away, and no byte of a cage may
//! steer the terminal of somebody who only looks.

use std::io::{self, Read as _};
use std::time::Instant;

use super::super::changes::ChangeKind;
use super::super::spool::{Span, Spool};
use super::super::text::{text_in_spool, unified};
use super::base85::push_literal;
use super::id::ObjectId;
use super::raw::Was;
use super::sieve::AllowedFile;
use super::stream::quoted_bytes;
use crate::sanitize::sanitize;

const NOWHERE: &str = "/dev/null";

/// Appends a file.
pub(super) fn push_file(
    text: &mut String,
    file: &AllowedFile<'_>,
    spool: &Spool,
    deadline: Instant,
) -> io::Result<()> {
    let (old, new) = (name("a/", file), name("b/", file));
    text.extend(["diff --git ", &old, " ", &new, "\n", &modes(file)]);
    if file.change.kind == ChangeKind::ModeChanged {
        return Ok(());
    }
    text.push_str(&index(file));
    let contents = (plain_text(file.blobs.old_content, spool), plain_text(file.change.content, spool));
    match (file.change.kind, contents) {
        // Nothing is left to say about a file that is empty.
        (ChangeKind::Added, (_, Some(after))) if after.is_empty() => {}
        (ChangeKind::Deleted, (Some(before), _)) if before.is_empty() => {}
        (ChangeKind::Added, (_, Some(after))) => {
            text.push_str(&unified("", &after, NOWHERE, &new, deadline));
        }
        (ChangeKind::Deleted, (Some(before), _)) => {
            text.push_str(&unified(&before, "", &old, NOWHERE, deadline));
        }
        (ChangeKind::Modified, (Some(before), Some(after))) => {
            text.push_str(&unified(&before, &after, &old, &new, deadline));
        }
        _ => push_binary(text, file, spool)?,
    }
    Ok(())
}

/// Returns why a file cannot be part of a mail, if it cannot.
pub(super) fn problem(file: &AllowedFile<'_>) -> Option<&'static str> {
    match file.blobs.was {
        Was::Other => Some("a link or a submodule was there, which a patch of its content cannot name"),
        Was::Nothing | Was::Plain | Was::Executable => None,
    }
}

fn modes(file: &AllowedFile<'_>) -> String {
    let before = mode(file.blobs.was == Was::Executable);
    let after = mode(file.change.executable);
    match file.change.kind {
        ChangeKind::Added => format!("new file mode {after}\n"),
        ChangeKind::Deleted => format!("deleted file mode {before}\n"),
        _ if before != after => format!("old mode {before}\nnew mode {after}\n"),
        _ => String::new(),
    }
}

/// Names both contents in full, which binary patches need.
fn index(file: &AllowedFile<'_>) -> String {
    let known = file.blobs.old.as_ref().or(file.blobs.new.as_ref());
    let nothing = "0".repeat(known.map_or(0, |id| id.as_str().len()));
    let name = |id: &Option<ObjectId>| id.as_ref().map_or(nothing.clone(), ToString::to_string);
    let (old, new) = (name(&file.blobs.old), name(&file.blobs.new));
    let same_mode = (file.blobs.was == Was::Executable) == file.change.executable;
    if file.change.kind == ChangeKind::Modified && same_mode {
        format!("index {old}..{new} {}\n", mode(file.change.executable))
    } else {
        format!("index {old}..{new}\n")
    }
}

fn push_binary(text: &mut String, file: &AllowedFile<'_>, spool: &Spool) -> io::Result<()> {
    text.push_str("GIT binary patch\n");
    push_literal(text, &bytes(file.change.content, spool)?);
    // The way back; what is not known of it is no part of the way there.
    if file.blobs.old.is_none() || file.blobs.old_content.is_some() {
        push_literal(text, &bytes(file.blobs.old_content, spool)?);
    }
    Ok(())
}

fn bytes(span: Option<Span>, spool: &Spool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(span) = span {
        spool.reader(span).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn plain_text(span: Option<Span>, spool: &Spool) -> Option<String> {
    text_in_spool(spool, span?).filter(|text| sanitize(text) == *text)
}

fn mode(executable: bool) -> &'static str {
    if executable { "100755" } else { "100644" }
}

fn name(side: &str, file: &AllowedFile<'_>) -> String {
    let path = [side.as_bytes(), file.path.as_bytes()].concat();
    let quoted = quoted_bytes(&path);
    match std::str::from_utf8(&path) {
        Ok(plain) if quoted.len() == plain.len() + 2 => plain.to_owned(),
        _ => quoted,
    }
}
