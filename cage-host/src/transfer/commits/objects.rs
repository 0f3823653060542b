//! What `git cat-file --batch` prints: the objects that were asked for, one after the other.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};

use super::super::spool::{Span, Spool};
use super::id::ObjectId;

/// Longest line before an object, in bytes.
const MAX_HEADER_BYTES: u64 = 256;

/// An object that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) id: ObjectId,
    pub(super) kind: Kind,
    /// Largest size that is taken, in bytes.
    pub(super) limit: u64,
}

/// Kinds of git objects that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Commit,
    Blob,
}

/// Parses lines of `git cat-file --batch-check`: the sizes, in bytes, of the blobs among the objects.
pub(super) fn parse_sizes(output: &[u8]) -> HashMap<ObjectId, u64> {
    let line = |line: &[u8]| {
        let (id, kind, size) = parse_header(line)?;
        (kind == Kind::Blob).then_some((id, size))
    };
    output.split(|&byte| byte == b'\n').filter_map(line).collect()
}

/// Reads the objects into a spool. One that the cage does not have, or that has another kind, is missing in the result.
pub(super) fn read_objects(
    stream: impl Read,
    wanted: &[Wanted],
    spool: &mut Spool,
) -> io::Result<HashMap<ObjectId, Span>> {
    let mut stream = BufReader::new(stream);
    let mut objects = HashMap::new();
    for wanted in wanted {
        let mut line = Vec::new();
        (&mut stream).take(MAX_HEADER_BYTES).read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\n") else { return Err(nonsense("an object has no header")) };
        if !line.starts_with(wanted.id.as_str().as_bytes()) {
            return Err(nonsense("another object came than was asked for"));
        }
        let Some((id, kind, size)) = parse_header(line) else { continue };
        if size > wanted.limit {
            return Err(nonsense("an object is larger than it was said to be"));
        }
        let span = spool.append(&mut stream, size)?;
        let mut end = [0];
        stream.read_exact(&mut end)?;
        if kind == wanted.kind {
            objects.insert(id, span);
        }
    }
    Ok(objects)
}

fn nonsense(reason: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// Parses `name kind size`; nothing else, for example that an object is missing.
fn parse_header(line: &[u8]) -> Option<(ObjectId, Kind, u64)> {
    let mut parts = line.split(|&byte| byte == b' ');
    let id = ObjectId::new(parts.next()?)?;
    let kind = match parts.next()? {
        b"commit" => Kind::Commit,
        b"blob" => Kind::Blob,
        _ => return None,
    };
    let size = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    Some((id, kind, size))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(digit: &str) -> Wanted {
        Wanted { id: ObjectId::new(digit.repeat(40).as_bytes()).unwrap(), kind: Kind::Blob, limit: 5 }
    }

    fn read(output: &str, wanted: &[Wanted]) -> io::Result<Vec<String>> {
        let mut spool = Spool::new()?;
        let objects = read_objects(output.as_bytes(), wanted, &mut spool)?;
        let text = |wanted: &Wanted| {
            objects.get(&wanted.id).map(|span| io::read_to_string(spool.reader(*span)).unwrap())
        };
        Ok(wanted.iter().filter_map(text).collect())
    }

    #[test]
    fn reads_objects_and_passes_over_what_is_missing_or_of_another_kind() {
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(40));
        let output = format!("{a} blob 3\nx\ny\n{b} missing\n{c} commit 1\nz\n");
        assert_eq!(read(&output, &[wanted("a"), wanted("b"), wanted("c")]).unwrap(), ["x\ny"]);
    }

    #[test]
    fn rejects_other_objects_larger_ones_and_ones_that_end_early() {
        let a = "a".repeat(40);
        for output in [
            format!("{} blob 1\nx\n", "b".repeat(40)),
            format!("{a} blob 6\n123456\n"),
            format!("{a} blob 4\nx"),
            format!("{a} blob 3"),
            "x".repeat(10_000),
            String::new(),
        ] {
            assert!(read(&output, &[wanted("a")]).is_err(), "{output}");
        }
    }

    #[test]
    fn takes_sizes_of_blobs_only() {
        let output = format!("{} blob 7\n{} tree 3\nHEAD missing\n\u{1b}\n", "a".repeat(40), "b".repeat(40));
        let sizes = parse_sizes(output.as_bytes());
        assert_eq!(sizes.into_values().collect::<Vec<_>>(), [7]);
    }
}
