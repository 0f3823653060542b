//! A cage's home on its way into another cage: from the archive that the engine makes into one that is ours.
//!
//! It carries files, folders and links, and nothing that belongs to one cage alone: no credential, no message, no lock.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use tar::{Builder, Entry, EntryType, Header};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::archive::forward;
use super::fetch::{CHUNKS_IN_FLIGHT, ChunkReader};
use super::pack::ChunkWriter;
use super::receive::broken;
use super::safe_path::SafePath;
use crate::backend::Archive;
use crate::cage::Still;
use crate::error::{CageError, Result};

const READ: &str = "read the cage's home";

/// Most bytes of a home that are copied.
const MAX_HOME_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Where Claude Code keeps what a subscription signs in with; the other name is that of a copy on its way there.
const CREDENTIALS: [&str; 2] = [".claude/.credentials.json", ".claude/.credentials.json.next"];

/// Files of the message folder that belong to one cage: who is at work there, and when it last was.
const OF_ONE_CAGE: [&str; 2] = [".cage/.supervise.lock", ".cage/heartbeat"];

/// Folders whose files belong to one cage: its messages, and how far they were read.
const MAILBOXES: [&str; 3] = [".cage/inbox", ".cage/outbox", ".cage/cursor"];

/// Bits of a mode that are kept: no set-uid.
const MODE_MASK: u32 = 0o777;

/// A home on its way.
#[derive(Debug)]
pub(crate) struct HomeStream {
    pub(crate) stream: mpsc::Receiver<Bytes>,
    pub(crate) done: JoinHandle<Result<()>>,
}

/// Makes of a home's archive the one to unpack in another home.
pub(crate) fn repack(archive: Archive, still: Still) -> HomeStream {
    let (into, chunks) = mpsc::channel::<Bytes>(CHUNKS_IN_FLIGHT);
    let (sender, stream) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let reading = spawn_blocking(move || copy(ChunkReader::new(chunks), ChunkWriter::new(sender), still));
    let done = tokio::spawn(async move {
        let forwarded = forward(archive, into).await;
        let copied = reading.await.unwrap_or_else(|error| Err(broken(io::Error::other(error))));
        // A broken archive is often the consequence of a broken connection, which says more.
        forwarded.and(copied)
    });
    HomeStream { stream, done }
}

fn copy(archive: ChunkReader, sink: ChunkWriter, still: Still) -> Result<()> {
    let mut to = Builder::new(sink);
    let mut left = MAX_HOME_BYTES;
    for entry in tar::Archive::new(archive).entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let too_much = || CageError::TooMuch { operation: READ, limit: MAX_HOME_BYTES, unit: "bytes" };
        left = left.checked_sub(entry.size()).ok_or_else(too_much)?;
        let Some(path) = below_top(&entry.path_bytes()).filter(travels) else { continue };
        copy_entry(&mut to, &path, &mut entry, still).map_err(broken)?;
    }
    to.into_inner().and_then(|mut sink| sink.flush()).map_err(broken)
}

/// Returns the path below the archive's one top folder.
fn below_top(name: &[u8]) -> Option<SafePath> {
    let name = name.strip_suffix(b"/").unwrap_or(name);
    let top = name.iter().position(|&byte| byte == b'/')?;
    SafePath::new(&name[top + 1..]).ok()
}

/// Says whether something goes along into another cage.
fn travels(path: &SafePath) -> bool {
    let stays = |name: &&str| path.as_path() == Path::new(name);
    let in_mailbox = |name: &&str| path.as_path() != Path::new(name) && path.as_path().starts_with(name);
    !CREDENTIALS.iter().any(stays) && !OF_ONE_CAGE.iter().any(stays) && !MAILBOXES.iter().any(in_mailbox)
}

fn copy_entry(
    to: &mut Builder<ChunkWriter>,
    path: &SafePath,
    entry: &mut Entry<'_, ChunkReader>,
    still: Still,
) -> io::Result<()> {
    let kind = entry.header().entry_type();
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(entry.header().mode()? & MODE_MASK);
    header.set_mtime(entry.header().mtime()?);
    match kind {
        EntryType::Regular => {
            header.set_size(entry.size());
            mark_touched(to, entry.header().mtime()?, still)?;
            to.append_data(&mut header, path.as_path(), entry)
        }
        EntryType::Directory => {
            header.set_size(0);
            to.append_data(&mut header, path.as_path(), io::empty())
        }
        EntryType::Symlink | EntryType::Link => {
            let Some(target) = entry.link_name()?.map(Cow::into_owned) else { return Ok(()) };
            header.set_size(0);
            if kind.is_symlink() {
                return to.append_link(&mut header, path.as_path(), target);
            }
            // The first name of a file that stays behind takes the others with it.
            match below_top(target.as_os_str().as_encoded_bytes()).filter(travels) {
                Some(target) => to.append_link(&mut header, path.as_path(), target.as_path()),
                None => Ok(()),
            }
        }
        // A device, a FIFO or a socket means nothing elsewhere.
        _ => Ok(()),
    }
}

/// Gives a file that was written in the cage a fraction of a second, which archives drop and by which a diff knows it.
fn mark_touched(to: &mut Builder<ChunkWriter>, mtime: u64, still: Still) -> io::Result<()> {
    if mtime.cast_signed() < still.since {
        return Ok(());
    }
    to.append_pax_extensions([("mtime", format!("{mtime}.5").as_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> SafePath {
        SafePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn leaves_credentials_messages_and_locks_behind() {
        for stays in [
            ".claude/.credentials.json",
            ".claude/.credentials.json.next",
            ".cage/outbox/2026-03-26T14-30-00.000123Z.json",
            ".cage/inbox/.last",
            ".cage/cursor/inbox.cursor",
            ".cage/.supervise.lock",
        ] {
            assert!(!travels(&path(stays)), "{stays}");
        }
    }

    #[test]
    fn takes_the_conversation_and_the_work_along() {
        for goes in [
            ".claude/projects/x.jsonl",
            ".cage/session.json",
            ".cage/outbox",
            ".cage/claude-stream.log",
            "project/.claude/.credentials.json.txt",
        ] {
            assert!(travels(&path(goes)), "{goes}");
        }
    }

    #[test]
    fn finds_the_path_below_whatever_the_top_folder_is_called() {
        assert_eq!(below_top(b"trustycage/a/b"), Some(path("a/b")));
        assert_eq!(below_top(b"home/a/"), Some(path("a")));
        for nothing in [&b"home"[..], b"home/", b"/etc", b"home/../x", b"home//x"] {
            assert_eq!(below_top(nothing).filter(|path| path.as_path() != Path::new("etc")), None);
        }
    }
}
