//! What lies in a cage's project, listed by one `find`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::archive::list_still;
use super::refused::Refused;
use super::safe_path::SafePath;
use super::walk::{FileStat, Node};
use crate::backend::Exec;
use crate::cage::Place;
use crate::error::{CageError, Result};

const LIST: &str = "list the project";

/// Longest time for a listing.
const LIST_DEADLINE: Duration = Duration::from_secs(120);

/// Most entries of a project; with their paths they take some 50 MB here.
pub(super) const MAX_ENTRIES: usize = 250_000;

/// Longest field of an entry, in bytes: a path, or what a link points to.
const MAX_FIELD_BYTES: usize = 8_192;

/// Prints kind, size, time and mode, then the path, then what a link points to, each ended by a NUL.
const FORMAT: &str = "%y %s %T@ %m\\0%P\\0%l\\0";

/// Fields of one entry.
const FIELDS: usize = 3;

/// One thing in a cage's project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) node: Node,
    /// Its time has a fraction of a second, which nothing that was unpacked and left alone has; or it is late enough for
    /// an agent to have written it, in a cage whose files lost their fractions.
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
    fn touch_since(&mut self, since: i64) {
        for listed in self.entries.values_mut() {
            listed.touched |= matches!(listed.node, Node::File(stat) if stat.mtime >= since);
        }
    }
}

/// Lists a cage's project.
pub(super) async fn list(place: &Place) -> Result<Listing> {
    if let Some(still) = place.still() {
        return list_still(place, still).await;
    }
    let (mut listing, since) = tokio::try_join!(list_running(place), Box::pin(place.written_since()))?;
    if let Some(since) = since.copied {
        listing.touch_since(since);
    }
    Ok(listing)
}

async fn list_running(place: &Place) -> Result<Listing> {
    let folder = place.folder_path();
    let argv = ["find", &folder, "-mindepth", "1", "-name", ".git", "-prune", "-o", "-printf", FORMAT];
    let mut running = place.exec(Exec::new(LIST, argv, LIST_DEADLINE)).await?;
    let mut parser = Parser::default();
    while let Some(bytes) = running.next_stdout().await? {
        parser.push(&bytes)?;
    }
    // A file that vanishes meanwhile makes `find` complain and fail although it has listed all the others.
    let exit = running.exit().await?;
    let listing = parser.finish()?;
    if exit.code != 0 && listing.entries.is_empty() {
        exit.success(LIST)?;
    }
    Ok(listing)
}

/// Parses the output of `find` wherever it is cut.
#[derive(Debug, Default)]
struct Parser {
    /// What has come of the next entry.
    entry: Vec<u8>,
    /// Its complete fields.
    fields: usize,
    /// Where its incomplete field begins.
    field_at: usize,
    listing: Listing,
}

impl Parser {
    fn push(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.split_inclusive(|&byte| byte == 0) {
            let ended = piece.ends_with(&[0]);
            let field_len = self.entry.len() - self.field_at + piece.len() - usize::from(ended);
            if field_len > MAX_FIELD_BYTES {
                let limit = MAX_FIELD_BYTES as u64;
                return Err(CageError::TooMuch { operation: LIST, limit, unit: "bytes in one path" }.into());
            }
            self.entry.extend_from_slice(piece);
            if ended {
                self.end_field()?;
            }
        }
        Ok(())
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

    fn finish(self) -> Result<Listing> {
        if self.entry.is_empty() {
            Ok(self.listing)
        } else {
            Err(malformed("the listing ends in the middle of an entry".to_owned()))
        }
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

    fn parse(output: &[u8]) -> Result<Listing> {
        let mut parser = Parser::default();
        // Cut at every place at once: one byte at a time.
        for byte in output {
            parser.push(&[*byte])?;
        }
        parser.finish()
    }

    fn at<'a>(listing: &'a Listing, path: &str) -> &'a Listed {
        &listing.entries[&SafePath::new(path.as_bytes()).unwrap()]
    }

    #[test]
    fn accepts_every_kind_of_entry() {
        let listing = parse(
            b"f 12 1700000000.0000000000 755\0run.sh\0\0d 4096 1700000000.5 755\0src\0\0l 3 1.0 777\0link\0../x\0p 0 1.0 644\0pipe\0\0",
        )
        .unwrap();
        let stat = FileStat { size: 12, mtime: 1_700_000_000, executable: true };
        assert_eq!(*at(&listing, "run.sh"), Listed { node: Node::File(stat), touched: false });
        assert_eq!(*at(&listing, "src"), Listed { node: Node::Folder, touched: true });
        assert_eq!(at(&listing, "link").node, Node::Link("../x".into()));
        assert_eq!(at(&listing, "pipe").node, Node::Special);
    }

    #[test]
    fn accepts_names_with_line_feeds_blanks_and_bytes_that_are_no_text() {
        let listing = parse(b"f 1 1.5 644\0a b\nc\0\0f 1 1.5 644\0\xff\0\0").unwrap();
        assert_eq!(listing.entries.len(), 2);
    }

    #[test]
    fn refuses_paths_that_leave_the_project_and_names_them() {
        let listing = parse(b"f 1 1.0 644\0../../etc/passwd\0\0f 1 1.0 644\0/abs\0\0").unwrap();
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
            assert!(parse(output).is_err(), "{}", output.escape_ascii());
        }
    }

    #[test]
    fn rejects_a_field_without_end() {
        assert!(parse(&[b'a'; MAX_FIELD_BYTES + 1]).is_err());
    }

    proptest::proptest! {
        #[test]
        fn takes_any_bytes_and_yields_only_paths_below_the_project(bytes: Vec<u8>, cut in 0..100_usize) {
            let mut output = bytes;
            output.extend_from_slice(b"f 1 1.0 644\0ok\0\0");
            let (first, second) = output.split_at(cut.min(output.len()));
            let mut parser = Parser::default();
            if parser.push(first).and_then(|()| parser.push(second)).is_ok() && let Ok(listing) = parser.finish() {
                for path in listing.entries.keys() {
                    let plain = path.as_path().components().all(|part| matches!(part, std::path::Component::Normal(_)));
                    proptest::prop_assert!(plain, "{path:?}");
                }
            }
        }
    }
}
