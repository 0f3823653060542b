//! A look into a mailbox without `cage-poll`: two listings and the files behind them, by one program.
//!
//! The cage lists, the host chooses, the cage sends what was chosen. What may be believed of two listings is decided by
//! [`cage_proto::mailbox::Scan`]; here only bytes become names and files.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::mailbox::{EntryName, Mailbox};
use tar::EntryType;
use tokio::sync::mpsc;

use crate::backend::{Exec, Running, Stdin};
use crate::cage::Place;
use crate::error::{CageError, Result};
use crate::sanitize::sanitize_path;

/// Longest time for one look.
const SWEEP_DEADLINE: Duration = Duration::from_secs(120);

/// Bytes of the names in one look; a mailbox with half a million files fits.
const MAX_NAMES_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of the files of one look. More are left for the next one.
pub(super) const MAX_FILES_BYTES: usize = 64 * 1024 * 1024;

/// Lists the folder `$1`: all names once, and once more by what stands under them: files of at most 1 MiB (2,048
/// blocks), larger files, anything else. Then it sends the files that it is told on its standard input. Nothing is
/// opened before.
const SWEEP_SCRIPT: &str = r#"cd "$1" 2>/dev/null || { printf '\000\000\000\000'; exit 0; }
list() { find . -maxdepth 1 -name '*.json' ! -name '.*' "$@" -print0; printf '\000'; }
list
list -type f -size -2049
list -type f ! -size -2049
list ! -type f
exec tar -cf - -T -"#;

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// A file that may be a message.
    File,
    /// A file that is larger than a message may be.
    Oversize,
    /// A folder, a link, a FIFO.
    NotAFile,
}

/// The names in a mailbox, listed twice.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// As they were listed first.
    pub(super) first: Vec<Vec<u8>>,
    /// As they were listed after that, with what stood there.
    pub(super) second: Vec<(Vec<u8>, Found)>,
}

impl Names {
    /// Returns what stood under each name when it was listed last.
    pub(super) fn found(&self) -> HashMap<&[u8], Found> {
        self.second.iter().map(|(name, found)| (name.as_slice(), *found)).collect()
    }

    /// Returns those of some names that may be read.
    fn files(&self, names: &[EntryName]) -> Vec<EntryName> {
        let found = self.found();
        let is_file = |name: &&EntryName| found.get(name.as_str().as_bytes()) == Some(&Found::File);
        names.iter().filter(is_file).cloned().collect()
    }
}

/// The files of a look.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Those that were chosen and came, at most one byte more than a message may have.
    pub(super) bytes: HashMap<EntryName, Vec<u8>>,
    /// Whether some were left out because they would have been too many bytes.
    pub(super) cut: bool,
}

/// Lists a mailbox and reads what `choose` returns, in that order, as far as it is files and fits into a limit.
pub(super) async fn sweep(
    place: &Place,
    operation: &'static str,
    mailbox: Mailbox,
    choose: impl FnOnce(&Names) -> Vec<EntryName>,
) -> Result<(Names, Files)> {
    let folder = format!("{}/{}", place.layout.cage_dir(), mailbox.name());
    let (sender, chosen) = mpsc::channel(1);
    let exec = Exec::new(operation, ["sh", "-c", SWEEP_SCRIPT, "sh", &folder], SWEEP_DEADLINE)
        .env(vec![("LC_ALL".to_owned(), "C".to_owned())])
        .stdin(Stdin::Stream(chosen));
    let mut running = place.exec(exec).await?;
    let mut reading = NameReader::default();
    while !reading.is_complete() {
        let Some(bytes) = running.next_stdout().await? else {
            running.success().await?;
            return Err(CageError::Malformed { operation, reason: "its listing has no end".into() }.into());
        };
        reading.push(&bytes);
        if reading.bytes > MAX_NAMES_BYTES {
            return Err(CageError::TooMuch { operation, limit: MAX_NAMES_BYTES as u64, unit: "bytes" }.into());
        }
    }
    let wanted = reading.names.files(&choose(&reading.names));
    if wanted.is_empty() {
        return Ok((reading.names, Files::default()));
    }
    let list: Vec<_> = wanted.iter().map(EntryName::as_str).collect();
    // It is not read any more when the program has ended; then it says why.
    let _ = sender.send(Bytes::from(list.join("\n") + "\n")).await;
    drop(sender);
    let files = receive(running, operation, reading.rest, &wanted).await?;
    Ok((reading.names, files))
}

/// Takes the archive behind the listings.
async fn receive(
    mut running: Running,
    operation: &'static str,
    mut archive: Vec<u8>,
    wanted: &[EntryName],
) -> Result<Files> {
    while archive.len() <= MAX_FILES_BYTES {
        let Some(bytes) = running.next_stdout().await? else {
            // It fails when a file has gone meanwhile although it has sent the others; what came says enough.
            running.exit().await?;
            return Ok(unpack(&archive, wanted));
        };
        archive.extend_from_slice(&bytes);
    }
    let files = Files { cut: true, ..unpack(&archive, wanted) };
    if files.bytes.is_empty() {
        // One file grew beyond every limit after it had been listed.
        return Err(CageError::TooMuch { operation, limit: MAX_FILES_BYTES as u64, unit: "bytes" }.into());
    }
    Ok(files)
}

/// Reads the files that are whole in an archive. Its entries decide nothing: only what was asked for counts.
fn unpack(archive: &[u8], wanted: &[EntryName]) -> Files {
    let wanted: HashSet<_> = wanted.iter().collect();
    let mut files = Files::default();
    let mut copied = 0;
    let mut archive = tar::Archive::new(archive);
    // Raw: the library would follow extensions of any size.
    let Ok(entries) = archive.entries() else { return files };
    for entry in entries.raw(true) {
        let Ok(mut entry) = entry else { break };
        let Some(name) = entry_name(&entry.path_bytes()).filter(|name| wanted.contains(name)) else {
            continue;
        };
        let kind = entry.header().entry_type();
        let size = entry.header().entry_size().unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        match kind {
            EntryType::Regular | EntryType::Continuous => {
                let kept = entry.by_ref().take(MESSAGE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
                if kept.is_err() || (bytes.len() as u64) < size.min(MESSAGE_BYTES_MAX as u64 + 1) {
                    break;
                }
            }
            // A second name of a file that came before.
            EntryType::Link => {
                let target = entry.link_name_bytes().and_then(|target| entry_name(&target));
                let Some(first) = target.and_then(|target| files.bytes.get(&target)) else { continue };
                bytes.clone_from(first);
            }
            _ => continue,
        }
        copied += bytes.len();
        if copied > MAX_FILES_BYTES {
            files.cut = true;
            break;
        }
        files.bytes.insert(name, bytes);
    }
    files
}

fn entry_name(path: &[u8]) -> Option<EntryName> {
    let path = path.strip_prefix(b"./").unwrap_or(path);
    std::str::from_utf8(path).ok()?.parse().ok()
}

/// Reads four lists of names, each ended by an empty one.
#[derive(Debug, Default)]
struct NameReader {
    names: Names,
    lists: usize,
    bytes: usize,
    /// What came behind the last complete name; in the end, what came behind the lists.
    rest: Vec<u8>,
}

impl NameReader {
    const LISTS: usize = 4;

    fn is_complete(&self) -> bool {
        self.lists == Self::LISTS
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.rest.extend_from_slice(bytes);
        let mut begin = 0;
        while !self.is_complete() {
            let Some(length) = self.rest[begin..].iter().position(|byte| *byte == 0) else { break };
            let name = self.rest[begin..begin + length].to_vec();
            begin += length + 1;
            self.take(&name);
        }
        self.rest.drain(..begin);
    }

    fn take(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.lists += 1;
            return;
        }
        let name = name.strip_prefix(b"./").unwrap_or(name).to_vec();
        match self.lists {
            0 => self.names.first.push(name),
            1 => self.names.second.push((name, Found::File)),
            2 => self.names.second.push((name, Found::Oversize)),
            _ => self.names.second.push((name, Found::NotAFile)),
        }
    }
}

/// Shows a file name on one line.
pub(super) fn shown(name: &[u8]) -> String {
    sanitize_path(Path::new(OsStr::from_bytes(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "2026-03-26T14-30-00Z.json";
    const B: &str = "2026-03-26T14-30-01Z.json";

    fn archive(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            if *kind == EntryType::Link {
                header.set_link_name(content).unwrap();
                header.set_size(0);
                builder.append_data(&mut header, name, &b""[..]).unwrap();
            } else {
                header.set_size(content.len() as u64);
                builder.append_data(&mut header, name, content.as_bytes()).unwrap();
            }
        }
        builder.into_inner().unwrap()
    }

    fn wanted() -> [EntryName; 2] {
        [A, B].map(|name| name.parse().unwrap())
    }

    fn contents(files: &Files) -> Vec<(String, String)> {
        let mut contents: Vec<_> = files
            .bytes
            .iter()
            .map(|(name, bytes)| (name.to_string(), String::from_utf8_lossy(bytes).into_owned()))
            .collect();
        contents.sort();
        contents
    }

    #[test]
    fn reads_lists_wherever_they_are_cut() {
        let text = b"./a.json\0./b\nc.json\0\0./a.json\0\0./b\nc.json\0\0\0archive";
        for cut in 0..text.len() {
            let mut reader = NameReader::default();
            reader.push(&text[..cut]);
            reader.push(&text[cut..]);
            assert!(reader.is_complete());
            assert_eq!(reader.names.first, [b"a.json".to_vec(), b"b\nc.json".to_vec()]);
            let second = [(b"a.json".to_vec(), Found::File), (b"b\nc.json".to_vec(), Found::Oversize)];
            assert_eq!(reader.names.second, second);
            assert_eq!(reader.rest, b"archive");
        }
    }

    #[test]
    fn takes_what_was_asked_for_and_nothing_else() {
        let archive = archive(&[
            ("2026-03-26T14-30-09Z.json", EntryType::Regular, "not asked for"),
            (A, EntryType::Regular, "a"),
            ("passwd", EntryType::Regular, "x"),
            (B, EntryType::Symlink, ""),
        ]);
        assert_eq!(contents(&unpack(&archive, &wanted())), [(A.to_owned(), "a".to_owned())]);
    }

    #[test]
    fn takes_a_second_name_of_a_file() {
        let archive = archive(&[(A, EntryType::Regular, "a"), (B, EntryType::Link, A)]);
        let expected = [(A.to_owned(), "a".to_owned()), (B.to_owned(), "a".to_owned())];
        assert_eq!(contents(&unpack(&archive, &wanted())), expected);
    }

    #[test]
    fn takes_what_is_whole_of_an_archive_that_was_cut() {
        let whole = archive(&[(A, EntryType::Regular, "a"), (B, EntryType::Regular, "bbb")]);
        for length in 0..whole.len() {
            let files = unpack(&whole[..length], &wanted());
            assert!(contents(&files).iter().all(|(_, text)| text == "a" || text == "bbb"), "{length}");
        }
        assert_eq!(contents(&unpack(&whole[..1024], &wanted())).len(), 1);
    }

    #[test]
    fn keeps_no_more_of_a_file_than_a_message_may_have() {
        let long = "x".repeat(3 * MESSAGE_BYTES_MAX);
        let files =
            unpack(&archive(&[(A, EntryType::Regular, &long), (B, EntryType::Regular, "b")]), &wanted());
        assert_eq!(files.bytes[&wanted()[0]].len(), MESSAGE_BYTES_MAX + 1);
        assert_eq!(files.bytes[&wanted()[1]], b"b");
    }

    proptest::proptest! {
        #[test]
        fn survives_any_bytes(bytes: Vec<u8>) {
            unpack(&bytes, &wanted());
            NameReader::default().push(&bytes);
        }
    }
}
