//! Reading a cage in which nothing runs: whole folders, as an archive that the engine makes.
//!
//! The engine's own `tar` makes the frame of the archive, so that can be trusted; names, kinds and sizes in it come
//! from the cage and are checked like everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tar::{Entry, EntryType};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::fetch::{CHUNKS_IN_FLIGHT, ChunkReader, FETCH_DEADLINE};
use super::listing::{Listed, Listing, MAX_ENTRIES};
use super::receive::{Limits, Received, broken};
use super::refused::Refused;
use super::safe_path::SafePath;
use super::spool::Spool;
use super::walk::{FileStat, Node};
use crate::cage::{Place, Still};
use crate::error::{CageError, EngineError, Result};

/// One entry of an archive that the engine makes.
pub(crate) type ArchiveEntry<'a> = Entry<'a, ChunkReader>;

const READ: &str = "read the cage's files";

/// Reads a folder of a cage's home with `each`, which gets every entry with its path below the folder, as far as that
/// is a [`SafePath`]. Returns what `each` was given as its state, and what was refused; `None` without such a folder.
pub(crate) async fn read_folder<S: Send + 'static>(
    place: &Place,
    folder: &str,
    mut state: S,
    each: impl Fn(&mut S, SafePath, &mut ArchiveEntry<'_>) -> Result<()> + Send + 'static,
) -> Result<Option<(S, Refused)>> {
    let Some(archive) = place.archive(folder).await? else { return Ok(None) };
    let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let folder = folder.to_owned();
    let reading = spawn_blocking(move || {
        let mut refused = Refused::default();
        let mut archive = tar::Archive::new(ChunkReader::new(chunks));
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let name = entry.path_bytes().into_owned();
            match below(&folder, &name) {
                // A link is no folder, wherever it leads.
                Some(b"") if !entry.header().entry_type().is_dir() => return Ok(None),
                Some(b"") => {}
                Some(path) => match SafePath::new(path) {
                    Ok(path) => each(&mut state, path, &mut entry)?,
                    Err(error) => refused.add(&name, error),
                },
                None => refused.add(&name, "it is not where it was asked for"),
            }
        }
        Ok(Some((state, refused)))
    });
    let forwarded = timeout(FETCH_DEADLINE, forward(archive, sender)).await;
    let read =
        reading.await.map_err(|error| EngineError::Lost { operation: READ, reason: error.to_string() })?;
    // A broken archive is often the consequence of a broken connection, which says more.
    forwarded.map_err(|_| EngineError::TimedOut { operation: READ, after: FETCH_DEADLINE })??;
    read
}

/// Hands the pieces of an archive to its reader.
pub(super) async fn forward(
    mut from: BoxStream<'static, Result<Bytes>>,
    to: mpsc::Sender<Bytes>,
) -> Result<()> {
    while let Some(bytes) = from.next().await {
        if to.send(bytes?).await.is_err() {
            // The reader has given up and says why.
            break;
        }
    }
    Ok(())
}

/// Returns the path below a folder, without the slash that a folder's own entry ends with.
fn below<'a>(folder: &str, name: &'a [u8]) -> Option<&'a [u8]> {
    let rest = name.strip_prefix(folder.as_bytes())?;
    let rest = rest.strip_suffix(b"/").unwrap_or(rest);
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"/") }
}

/// Lists a cage's project without running anything in the cage; `None` if it has none.
pub(super) async fn list_still(place: &Place, still: Still) -> Result<Option<Listing>> {
    let folder = place.folder().to_owned();
    let listed = read_folder(place, place.folder(), Listing::default(), move |listing, path, entry| {
        if is_git(&path) {
            return Ok(());
        }
        if listing.entries.len() >= MAX_ENTRIES {
            let limit = MAX_ENTRIES as u64;
            return Err(CageError::TooMuch { operation: READ, limit, unit: "entries" }.into());
        }
        match describe(entry, &folder, &listing.entries, still) {
            Some(listed) => drop(listing.entries.insert(path, listed)),
            None => listing.refused.add(path.as_bytes(), "it is a hard link to something that is not listed"),
        }
        Ok(())
    });
    Ok(listed.await?.map(|(mut listing, refused)| {
        listing.refused.extend(refused);
        listing
    }))
}

fn is_git(path: &SafePath) -> bool {
    path.components().any(|name| name == ".git")
}

fn describe(
    entry: &ArchiveEntry<'_>,
    folder: &str,
    before: &BTreeMap<SafePath, Listed>,
    still: Still,
) -> Option<Listed> {
    let header = entry.header();
    let mtime = header.mtime().ok()?.cast_signed();
    let node = match header.entry_type() {
        EntryType::Regular => {
            let executable = header.mode().ok()? & 0o100 != 0;
            Node::File(FileStat { size: entry.size(), mtime, executable })
        }
        EntryType::Directory => Node::Folder,
        EntryType::Symlink => Node::Link(entry.link_name().ok()??.into_owned()),
        EntryType::Link => return before.get(&link_target(entry, folder)?).cloned(),
        _ => Node::Special,
    };
    // An archive has whole seconds, so whatever could have been written in the cage is looked into.
    Some(Listed { node, touched: mtime >= still.since })
}

fn link_target(entry: &ArchiveEntry<'_>, folder: &str) -> Option<SafePath> {
    SafePath::new(below(folder, &entry.link_name_bytes()?)?).ok()
}

/// What one pass over an archive has brought.
#[derive(Debug)]
struct Pass {
    wanted: BTreeSet<SafePath>,
    received: Received,
    /// Wanted files that are another name of a file.
    links: Vec<(SafePath, SafePath)>,
    spool: Spool,
    left: u64,
}

/// Reads files of a cage's project into a spool, which is given back, without running anything in the cage.
pub(super) async fn fetch_still(
    place: &Place,
    wanted: BTreeSet<SafePath>,
    spool: Spool,
) -> Result<(Received, Spool)> {
    let limits = Limits::default();
    let pass = Pass { wanted, received: Received::default(), links: Vec::new(), spool, left: limits.total };
    let mut pass = read_once(place, pass, limits).await?;
    // An archive has the content of a file with several names only at the first of them, which need not be wanted.
    let links = std::mem::take(&mut pass.links);
    let elsewhere = |target: &SafePath| !pass.received.files.contains_key(target);
    pass.wanted = links.iter().map(|(_, target)| target.clone()).filter(elsewhere).collect();
    if !pass.wanted.is_empty() {
        pass = read_once(place, pass, limits).await?;
    }
    for (path, target) in links {
        if let Some(span) = pass.received.files.get(&target).copied() {
            pass.received.files.insert(path, span);
        }
    }
    pass.spool.finish().map_err(broken)?;
    Ok((pass.received, pass.spool))
}

async fn read_once(place: &Place, pass: Pass, limits: Limits) -> Result<Pass> {
    let folder = place.folder().to_owned();
    let read = read_folder(place, place.folder(), pass, move |pass, path, entry| {
        if pass.wanted.contains(&path) && !pass.received.files.contains_key(&path) {
            pass.take(path, entry, &folder, limits)?;
        }
        Ok(())
    });
    let missing = || "the folder went away".to_owned();
    let (mut pass, refused) =
        read.await?.ok_or_else(|| CageError::Malformed { operation: READ, reason: missing() })?;
    pass.received.refused.extend(refused);
    Ok(pass)
}

impl Pass {
    fn take(
        &mut self,
        path: SafePath,
        entry: &mut ArchiveEntry<'_>,
        folder: &str,
        limits: Limits,
    ) -> Result<()> {
        let size = entry.size();
        match entry.header().entry_type() {
            EntryType::Link => self.links.extend(link_target(entry, folder).map(|target| (path, target))),
            EntryType::Regular if size > limits.file => {
                let reason = format!("it has {size} bytes, at most {} are taken", limits.file);
                self.received.refused.add(path.as_bytes(), reason);
            }
            EntryType::Regular => {
                let too_much = || CageError::TooMuch { operation: READ, limit: limits.total, unit: "bytes" };
                self.left = self.left.checked_sub(size).ok_or_else(too_much)?;
                let span = self.spool.append(entry, size).map_err(broken)?;
                self.received.files.insert(path, span);
            }
            _ => self.received.refused.add(path.as_bytes(), "it is no regular file any more"),
        }
        Ok(())
    }
}

/// Reads at most `limit` bytes of an entry; `None` for one that is larger.
pub(crate) fn read_small(entry: &mut ArchiveEntry<'_>, limit: usize) -> Result<Option<Vec<u8>>> {
    if entry.size() > limit as u64 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(broken)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_path_below_a_folder_and_nothing_beside_it() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"project/", Some(b"")),
            (b"project", Some(b"")),
            (b"project/a/b", Some(b"a/b")),
            (b"project/a/", Some(b"a")),
            (b"projects/a", None),
            (b"../project/a", None),
        ];
        for (name, path) in cases {
            assert_eq!(below("project", name), path, "{}", name.escape_ascii());
        }
    }
}
