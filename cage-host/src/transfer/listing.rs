//! What lies in a cage's project, listed by one `find`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::refused::Refused;
use super::safe_path::SafePath;
use super::walk::{FileStat, Node};
use crate::error::{CageError, Result};

pub(super) const LIST: &str = "list the project";

/// Most entries of a project; with their paths they take some 50 MB here.
pub(super) const MAX_ENTRIES: usize = 250_000;

/// Longest field of an entry, in bytes: a path, or what a link points to.
const MAX_FIELD_BYTES: usize = 8_192;

/// What `find` prints of an entry: kind, size, time and mode, then the path, then what a link points to, each ended by
/// a NUL.
pub(super) const FORMAT: &str = "%y %s %T@ %m\\0%P\\0%l\\0";

/// What stands behind the last entry, in the place of a field.
const END: &[u8] = b"end\0";

/// Fields of one entry.
const FIELDS: usize = 3;

/// One thing in a cage's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) node: Node,
    /// Its time has a fraction of a second, which nothing that was unpacked and left alone has; or it is late enough
    /// for an agent to have written it, in a cage whose files lost their fractions.
    pub(super) touched: bool,
}

/// All of a cage's project, without `.git`.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: BTreeMap<SafePath, Listed>,
    pub(super) refused: Refused,
}

impl Listing {
    /// Has what an agent can have written looked into: an engine that keeps a container as an image drops the fractions
    /// by which it would be known.
    pub(super) fn touch_since(&mut self, since: i64) {
        for listed in self.entries.values_mut() {
            listed.touched |= matches!(listed.node, Node::File(stat) if stat.mtime >= since);
        }
    }
}

/// Parses the output of `find` wherever it is cut.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// What has come of the next entry.
    entry: Vec<u8>,
    /// Its complete fields.
    fields: usize,
    /// Where its incomplete field begins.
    field_at: usize,
    pub(super) listing: Listing,
}

impl Parser {
    /// Takes the next bytes; behind the last entry it returns how many of them belong to the listing.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let mut taken = 0;
        for piece in bytes.split_inclusive(|&byte| byte == 0) {
            let ended = piece.ends_with(&[0]);
            let field_len = self.entry.len() - self.field_at + piece.len() - usize::from(ended);
            if field_len > MAX_FIELD_BYTES {
                let limit = MAX_FIELD_BYTES as u64;
                return Err(CageError::TooMuch { operation: LIST, limit, unit: "bytes in one path" }.into());
            }
            self.entry.extend_from_slice(piece);
            taken += piece.len();
            if self.entry == END {
                return Ok(Some(taken));
            }
            if ended {
                self.end_field()?;
            }
        }
        Ok(None)
    }

    fn end_field(&mut self) -> Result<()> {
        self.fields += 1;
        self.field_at = self.entry.len();
        if self.fields == FIELDS {
            take_entry(&self.entry, &mut self.listing)?;
            self.entry.clear();
            (self.fields, self.field_at) = (0, 0);
        }
        Ok(())
    }
}

/// Adds an entry, whose fields each end with a NUL.
fn take_entry(entry: &[u8], listing: &mut Listing) -> Result<()> {
    let mut fields = entry.split(|&byte| byte == 0);
    let mut field = || fields.next().unwrap_or_default();
    let (stat, path, link) = (field(), field(), field());
    let listed =
        parse_stat(stat, link).ok_or_else(|| malformed(format!("`{}` is no entry", stat.escape_ascii())))?;
    if listing.entries.len() >= MAX_ENTRIES {
        return Err(CageError::TooMuch { operation: LIST, limit: MAX_ENTRIES as u64, unit: "entries" }.into());
    }
    match SafePath::new(path) {
        Ok(path) => drop(listing.entries.insert(path, listed)),
        Err(error) => listing.refused.add(path, error),
    }
    Ok(())
}

fn malformed(reason: String) -> crate::Error {
    CageError::Malformed { operation: LIST, reason }.into()
}

fn parse_stat(stat: &[u8], link: &[u8]) -> Option<Listed> {
    let text = std::str::from_utf8(stat).ok()?;
    let mut parts = text.split(' ');
    let (kind, size, time, mode) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let size = size.parse().ok()?;
    let mode = u32::from_str_radix(mode, 8).ok()?;
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mtime = seconds.parse().ok()?;
    let node = match kind {
        "f" => Node::File(FileStat { size, mtime, executable: mode & 0o100 != 0 }),
        "d" => Node::Folder,
        "l" => Node::Link(OsStr::from_bytes(link).into()),
        _ => Node::Special,
    };
    Some(Listed { node, touched: fraction.bytes().any(|digit| digit != b'0') })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a listing that must have an end.
    fn parse(output: &[u8]) -> Result<Option<Listing>> {
        let mut parser = Parser::default();
        // Cut at every place at once: one byte at a time.
        for byte in output {
            if parser.push(&[*byte])?.is_some() {
                return Ok(Some(parser.listing));
            }
        }
        Ok(None)
    }

    fn parse_entries(entries: &[u8]) -> Listing {
        parse(&[entries, END].concat()).unwrap().expect("its end was seen")
    }

    fn at<'a>(listing: &'a Listing, path: &str) -> &'a Listed {
        &listing.entries[&SafePath::new(path.as_bytes()).unwrap()]
    }

    #[test]
    fn accepts_every_kind_of_entry() {
        let listing = parse_entries(
            b"f 12 1700000000.0000000000 755\0run.sh\0\0d 4096 1700000000.5 755\0src\0\0l 3 1.0 777\0link\0../x\0p 0 1.0 644\0pipe\0\0",
        );
        let stat = FileStat { size: 12, mtime: 1_700_000_000, executable: true };
        assert_eq!(*at(&listing, "run.sh"), Listed { node: Node::File(stat), touched: false });
        assert_eq!(*at(&listing, "src"), Listed { node: Node::Folder, touched: true });
        assert_eq!(at(&listing, "link").node, Node::Link("../x".into()));
        assert_eq!(at(&listing, "pipe").node, Node::Special);
    }

    #[test]
    fn accepts_names_with_line_feeds_blanks_and_bytes_that_are_no_text() {
        let listing = parse_entries(b"f 1 1.5 644\0a b\nc\0\0f 1 1.5 644\0\xff\0\0");
        assert_eq!(listing.entries.len(), 2);
    }

    #[test]
    fn refuses_paths_that_leave_the_project_and_names_them() {
        let listing = parse_entries(b"f 1 1.0 644\0../../etc/passwd\0\0f 1 1.0 644\0/abs\0\0");
        assert!(listing.entries.is_empty());
        assert_eq!(listing.refused.shown().len(), 2);
    }

    #[test]
    fn rejects_a_listing_that_is_cut_or_makes_no_sense() {
        for output in [
            &b"f 1 1.0 644\0a"[..],
            b"f 1 1.0 644\0a\0",
            b"f x 1.0 644\0a\0\0",
            b"\0\0\0",
            b"f 1 1.0 9\0a\0\0",
        ] {
            let parsed = parse(&[output, END].concat());
            assert!(!matches!(parsed, Ok(Some(_))), "{}", output.escape_ascii());
        }
    }

    #[test]
    fn leaves_what_stands_behind_the_listing() {
        let mut parser = Parser::default();
        assert_eq!(parser.push(b"f 1 1.0 644\0a\0\0e").unwrap(), None);
        assert_eq!(parser.push(b"nd\0archive").unwrap(), Some(3));
        assert_eq!(parser.listing.entries.len(), 1);
    }

    #[test]
    fn takes_a_file_called_like_the_end_for_a_file() {
        assert_eq!(parse_entries(b"f 1 1.0 644\0end\0\0l 1 1.0 777\0a\0end\0").entries.len(), 2);
    }

    #[test]
    fn rejects_a_field_without_end() {
        assert!(parse(&[b'a'; MAX_FIELD_BYTES + 1]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes_and_yields_only_paths_below_the_project(bytes: Vec<u8>, cut in 0..100_usize) {
            let mut output = bytes;
            output.extend_from_slice(b"f 1 1.0 644\0ok\0\0end\0");
            let (first, second) = output.split_at(cut.min(output.len()));
            let mut parser = Parser::default();
            if parser.push(first).is_ok_and(|end| end.is_none()) && parser.push(second).is_ok() {
                for path in parser.listing.entries.keys() {
                    let plain = path.as_path().components().all(|part| matches!(part, std::path::Component::Normal(_)));
                    proptest::prop_assert!(plain, "{path:?}");
                }
            }
        }
    }
}
