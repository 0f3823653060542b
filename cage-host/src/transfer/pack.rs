//! Packing a folder of the host as a tar stream for a cage.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::safe_path::SafePath;
use super::walk::{FileStat, Node, walk};
use crate::error::{IoContext as _, Result};

/// The owner of everything in a cage. An unprivileged `tar` ignores it, a privileged one needs no second pass.
const OWNER_ID: u64 = 1_000;

/// Size of one piece of the stream, in bytes: large enough that passing it on costs nothing beside copying it.
const CHUNK_BYTES: usize = 128 * 1024;

/// Pieces that wait to be sent; with [`CHUNK_BYTES`] they bound the memory that packing takes.
const CHUNKS_IN_FLIGHT: usize = 8;

/// What was sent into a cage when it was created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// How many files and links were sent.
    pub files: u64,
    /// The sum of the files' sizes, in bytes.
    pub bytes: u64,
    /// What was left out although no `.gitignore` names it: sockets, FIFOs and devices.
    pub left_out: Vec<PathBuf>,
}

/// A folder that is being packed.
#[derive(Debug)]
pub(crate) struct Packing {
    pub(crate) stream: mpsc::Receiver<Bytes>,
    pub(crate) done: JoinHandle<Result<Arrival>>,
    pub(crate) counted: Arc<Counted>,
}

/// How far packing is.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    files: AtomicU64,
    bytes: AtomicU64,
}

impl Counted {
    /// Returns the files and links, and the bytes, that have been packed so far.
    pub(crate) fn now(&self) -> (u64, u64) {
        (self.files.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }

    fn is(&self, arrival: &Arrival) {
        self.files.store(arrival.files, Ordering::Relaxed);
        self.bytes.store(arrival.bytes, Ordering::Relaxed);
    }
}

/// Starts to pack a project folder.
///
/// The stream ends early when a file cannot be read; `done` then has the error, so ask it before trusting the copy.
pub(crate) fn pack(root: PathBuf) -> Packing {
    let (sender, stream) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let counted = Arc::<Counted>::default();
    let count = Arc::clone(&counted);
    let done = spawn_blocking(move || {
        let mut packer = Packer::new(ChunkWriter::new(sender));
        walk(&root, |path, node| {
            packer.add(&root, &path, node)?;
            count.is(&packer.arrival);
            Ok(())
        })?;
        packer.finish(&root)
    });
    Packing { stream, done, counted }
}

/// Starts to pack some files and folders of a build context; those that do not exist are left out.
pub(crate) fn pack_context(root: PathBuf, files: Vec<PathBuf>) -> Packing {
    let (sender, stream) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let done = spawn_blocking(move || {
        let mut packer = Packer::new(ChunkWriter::new(sender));
        for file in files {
            packer.add_context(&root, &file)?;
        }
        packer.finish(&root)
    });
    Packing { stream, done, counted: Arc::default() }
}

struct Packer {
    tar: tar::Builder<ChunkWriter>,
    arrival: Arrival,
}

impl Packer {
    fn new(sink: ChunkWriter) -> Self {
        Self { tar: tar::Builder::new(sink), arrival: Arrival::default() }
    }

    fn add(&mut self, root: &Path, path: &SafePath, node: Node) -> Result<()> {
        let on_host = root.join(path.as_path());
        let path = path.as_path();
        match node {
            Node::File(_) => self.add_file(&on_host, path),
            Node::Folder => {
                let mut header = header(tar::EntryType::Directory, 0, 0o755);
                self.tar.append_data(&mut header, path, io::empty()).context("pack", &on_host)
            }
            Node::Link(target) => {
                self.arrival.files += 1;
                let mut header = header(tar::EntryType::Symlink, 0, 0o777);
                self.tar.append_link(&mut header, path, target).context("pack", &on_host)
            }
            Node::Special => {
                self.arrival.left_out.push(path.to_owned());
                Ok(())
            }
        }
    }

    fn add_context(&mut self, root: &Path, path: &Path) -> Result<()> {
        let on_host = root.join(path);
        if !on_host.is_dir() {
            return self.add_file(&on_host, path);
        }
        walk(&on_host, |below, _| {
            let path = path.join(below.as_path());
            let on_host = root.join(&path);
            if on_host.is_file() { self.add_file(&on_host, &path) } else { Ok(()) }
        })
    }

    fn add_file(&mut self, on_host: &Path, path: &Path) -> Result<()> {
        let file = match File::open(on_host) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file.context("read", on_host)?,
        };
        let stat = FileStat::of(&file.metadata().context("look at", on_host)?);
        let mut header =
            header(tar::EntryType::Regular, stat.size, if stat.executable { 0o755 } else { 0o644 });
        header.set_mtime(u64::try_from(stat.mtime).unwrap_or(0));
        self.tar.append_data(&mut header, path, Exactly::new(file, stat.size)).context("pack", on_host)?;
        self.arrival.files += 1;
        self.arrival.bytes += stat.size;
        Ok(())
    }

    fn finish(self, root: &Path) -> Result<Arrival> {
        let mut sink = self.tar.into_inner().context("pack", root)?;
        sink.flush().context("pack", root)?;
        Ok(self.arrival)
    }
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(OWNER_ID);
    header.set_gid(OWNER_ID);
    header
}

/// A file as exactly so many bytes as its header promised: one that grows meanwhile is cut, one that shrinks is
/// filled up with zeros, so that what follows it in the stream stays readable.
struct Exactly {
    file: File,
    left: u64,
}

impl Exactly {
    fn new(file: File, size: u64) -> Self {
        Self { file, left: size }
    }
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..room];
        let read = match self.file.read(buffer)? {
            0 => {
                buffer.fill(0);
                room
            }
            read => read,
        };
        self.left -= read as u64;
        Ok(read)
    }
}

/// Hands what is written to it to the async side, a piece at a time.
pub(super) struct ChunkWriter {
    buffer: BytesMut,
    sender: mpsc::Sender<Bytes>,
}

impl ChunkWriter {
    pub(super) fn new(sender: mpsc::Sender<Bytes>) -> Self {
        Self { buffer: BytesMut::with_capacity(CHUNK_BYTES), sender }
    }
}

impl Write for ChunkWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = self.buffer.split().freeze();
        self.buffer.reserve(CHUNK_BYTES);
        self.sender.blocking_send(chunk).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn packed(root: &Path) -> (Vec<u8>, Result<Arrival>) {
        let mut packing = pack(root.to_owned());
        let mut bytes = Vec::new();
        while let Some(chunk) = packing.stream.recv().await {
            bytes.extend_from_slice(&chunk);
        }
        (bytes, packing.done.await.unwrap())
    }

    #[tokio::test]
    async fn packs_files_folders_and_links_with_owner_and_time() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("empty")).unwrap();
        fs::write(dir.path().join("a"), "hello").unwrap();
        symlink("../outside", dir.path().join("link")).unwrap();
        let (bytes, arrival) = packed(dir.path()).await;
        assert_eq!(arrival.unwrap(), Arrival { files: 2, bytes: 5, left_out: Vec::new() });

        let mut archive = tar::Archive::new(&bytes[..]);
        let mut lines: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry.path().unwrap().display().to_string();
                format!(
                    "{path} {:?} {:o} {}",
                    header.entry_type(),
                    header.mode().unwrap(),
                    header.uid().unwrap()
                )
            })
            .collect();
        lines.sort();
        assert_eq!(lines, ["a Regular 644 1000", "empty Directory 755 1000", "link Symlink 777 1000"]);
    }

    #[tokio::test]
    async fn packs_a_name_longer_than_a_header_has_room_for() {
        let dir = tempfile::tempdir().unwrap();
        let name = "n".repeat(200);
        fs::write(dir.path().join(&name), "x").unwrap();
        let (bytes, _) = packed(dir.path()).await;
        let mut archive = tar::Archive::new(&bytes[..]);
        let entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().display().to_string(), name);
    }

    #[tokio::test]
    async fn leaves_special_files_out_and_names_them() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        let (_, arrival) = packed(dir.path()).await;
        assert_eq!(arrival.unwrap().left_out, [PathBuf::from("socket")]);
    }

    #[test]
    fn fills_up_a_file_that_shrank_and_cuts_one_that_grew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, "abc").unwrap();
        for (size, expected) in [(5, &b"abc\0\0"[..]), (2, b"ab")] {
            let mut read = Vec::new();
            Exactly::new(File::open(&path).unwrap(), size).read_to_end(&mut read).unwrap();
            assert_eq!(read, expected);
        }
    }
}
