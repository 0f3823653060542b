//! Reading a tar stream that a cage made.
//!
//! The archive is a way to carry bytes and nothing more: an entry counts only when its path was asked for, it is a
//! regular file and it comes the first time. Names, kinds, sizes and links in it decide nothing about the host.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use tar::EntryType;

use super::refused::Refused;
use super::safe_path::SafePath;
use super::spool::{Span, Spool};
use crate::error::{CageError, Error, IoError};

const RECEIVE: &str = "read files of the project";

/// Largest file that is taken out of a cage, in bytes.
pub(super) const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Most bytes taken out of a cage at once: it all lands on the host's disk.
const MAX_TOTAL_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Longest path in an extension entry, in bytes, with its NUL; more is never kept in memory.
const MAX_LONG_NAME_BYTES: u64 = 4_097;

/// Entries of an archive beyond those that were asked for: an honest cage sends none, and each takes time to refuse.
const MAX_SURPLUS_ENTRIES: usize = 10_000;

/// What came out of an archive.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) files: HashMap<SafePath, Span>,
    pub(super) refused: Refused,
}

/// How much is read of one archive, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) file: u64,
    pub(super) total: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file: MAX_FILE_BYTES, total: MAX_TOTAL_BYTES }
    }
}

/// Reads an archive into a spool: of the wanted files those that it holds.
///
/// # Errors
/// When the archive is broken, passes the limit of bytes or of entries, or the spool cannot be written.
pub(super) fn receive(
    archive: impl Read,
    wanted: &BTreeSet<SafePath>,
    limits: Limits,
    spool: &mut Spool,
) -> Result<Received, Error> {
    let mut archive = tar::Archive::new(Capped { inner: archive, left: limits.total });
    let mut received = Received::default();
    let mut long_name = None;
    // Raw: the library would read an extension of any size into memory.
    // A wanted file may have an entry for its long name before its own.
    let most = 2 * wanted.len() + MAX_SURPLUS_ENTRIES;
    for (before, entry) in archive.entries().map_err(broken)?.raw(true).enumerate() {
        let mut entry = entry.map_err(broken)?;
        if before == most {
            let limit = most as u64;
            return Err(CageError::TooMuch { operation: RECEIVE, limit, unit: "files" }.into());
        }
        let kind = entry.header().entry_type();
        if kind == EntryType::GNULongName {
            long_name = Some(read_long_name(&mut entry)?);
            continue;
        }
        let name = long_name.take().unwrap_or_else(|| entry.header().path_bytes().into_owned());
        let size = entry.header().entry_size().map_err(broken)?;
        match judge(&name, kind, size, wanted, &received, limits) {
            Ok(path) => {
                let span = spool.append(&mut entry, size).map_err(broken)?;
                received.files.insert(path, span);
            }
            Err(reason) => received.refused.add(&name, reason),
        }
    }
    spool.finish().map_err(broken)?;
    Ok(received)
}

fn judge(
    name: &[u8],
    kind: EntryType,
    size: u64,
    wanted: &BTreeSet<SafePath>,
    received: &Received,
    limits: Limits,
) -> Result<SafePath, String> {
    if kind != EntryType::Regular {
        return Err(format!("it is no regular file but {}", describe(kind)));
    }
    let path = SafePath::new(name).map_err(|error| error.to_string())?;
    if !wanted.contains(&path) {
        return Err("it was not asked for".to_owned());
    }
    if received.files.contains_key(&path) {
        return Err("it came twice".to_owned());
    }
    if size > limits.file {
        return Err(format!("it has {size} bytes, at most {} are taken", limits.file));
    }
    Ok(path)
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a FIFO",
        EntryType::Directory => "a folder",
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongLink => "an extension",
        _ => "something unknown",
    }
}

fn read_long_name(entry: &mut impl Read) -> Result<Vec<u8>, Error> {
    let mut name = Vec::new();
    entry.take(MAX_LONG_NAME_BYTES).read_to_end(&mut name).map_err(broken)?;
    // The rest of one that is longer is skipped with its entry; cut like this it is refused as too long.
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// Tells a cage that sends too much from one that sends nonsense, and both from a full disk of the host.
pub(super) fn broken(error: io::Error) -> Error {
    if matches!(error.get_ref(), Some(inner) if inner.is::<Overflow>()) {
        return CageError::TooMuch { operation: RECEIVE, limit: MAX_TOTAL_BYTES, unit: "bytes" }.into();
    }
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return IoError { operation: "keep files of the cage in", path: std::env::temp_dir(), source: error }
            .into();
    }
    CageError::Malformed { operation: RECEIVE, reason: crate::sanitize::sanitize(&error.to_string()) }.into()
}

/// A reader that fails behind a number of bytes.
struct Capped<R> {
    inner: R,
    left: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("the archive is too long")]
struct Overflow;

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other(Overflow))?;
        Ok(read)
    }
}
