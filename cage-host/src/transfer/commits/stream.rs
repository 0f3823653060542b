//! Commits as `git fast-import` reads them. All of it is written here; nothing of a cage is passed through.

use std::io::{self, Write};

use super::super::changes::{Change, ChangeKind};
use super::super::safe_path::SafePath;
use super::super::spool::Spool;
use super::id::ObjectId;
use super::patches::Patch;
use super::sieve::AllowedFile;

/// Who puts commits on a branch.
const COMMITTER: &str = "cage <cage@localhost>";

/// A commit without what is held back.
pub(super) struct Allowed<'a> {
    pub(super) patch: &'a Patch,
    pub(super) files: Vec<AllowedFile<'a>>,
}

/// Where the commits go.
pub(super) struct Destination<'a> {
    pub(super) branch: &'a str,
    pub(super) base: &'a ObjectId,
    /// The time of committing, in seconds since 1970.
    pub(super) now: u64,
}

/// Writes commits, the first one on top of the base. It ends with `done`, without which git imports nothing.
pub(super) fn write(
    out: &mut impl Write,
    commits: &[Allowed<'_>],
    to: &Destination<'_>,
    spool: &Spool,
) -> io::Result<()> {
    writeln!(out, "feature done")?;
    for (index, commit) in commits.iter().enumerate() {
        let (patch, message) = (commit.patch, commit.patch.message());
        let seconds = patch.date().instant().timestamp();
        writeln!(out, "commit refs/heads/{}", to.branch)?;
        writeln!(out, "author {} {seconds} +0000", patch.author())?;
        writeln!(out, "committer {COMMITTER} {} +0000", to.now)?;
        writeln!(out, "data {}\n{message}", message.len())?;
        if index == 0 {
            writeln!(out, "from {}", to.base)?;
        }
        // Deleted first, so that a file can make place for a folder of its name.
        let (deleted, kept): (Vec<_>, Vec<_>) =
            commit.files.iter().partition(|file| file.change.kind == ChangeKind::Deleted);
        for file in deleted {
            writeln!(out, "D {}", quoted(&file.path))?;
        }
        for file in kept {
            write_file(out, &file.path, file.change, spool)?;
        }
    }
    writeln!(out, "done")
}

fn write_file(out: &mut impl Write, path: &SafePath, change: &Change, spool: &Spool) -> io::Result<()> {
    let Some(span) = change.content else { return Ok(()) };
    let mode = if change.executable { "100755" } else { "100644" };
    writeln!(out, "M {mode} inline {}\ndata {}", quoted(path), span.len)?;
    if io::copy(&mut spool.reader(span), out)? < span.len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    writeln!(out)
}

fn quoted(path: &SafePath) -> String {
    quoted_bytes(path.as_bytes())
}

/// Writes a path so that no byte of it can end the line or begin another command.
pub(super) fn quoted_bytes(path: &[u8]) -> String {
    let octal = |digit: u8| char::from(b'0' + (digit & 7));
    let mut text = String::from("\"");
    for &byte in path {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => text.push(byte.into()),
            other => text.extend(['\\', octal(other >> 6), octal(other >> 3), octal(other)]),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_every_byte_that_could_mean_something() {
        let path = SafePath::new("a\nM 100644 \"b\\\u{e4} c".as_bytes()).unwrap();
        assert_eq!(quoted(&path), r#""a\012M\040100644\040\042b\134\303\244\040c""#);
        assert_eq!(quoted(&SafePath::new(b"src/main-2_x.rs").unwrap()), "\"src/main-2_x.rs\"");
    }
}
