//! Taking files out of a cage by one `tar`.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::archive::fetch_still;
use super::receive::{Limits, Received, receive};
use super::safe_path::SafePath;
use super::spool::Spool;
use crate::backend::{Exec, Running, Stdin};
use crate::cage::Place;
use crate::error::{EngineError, Result};

const FETCH: &str = "read files of the project";

/// Longest time for taking files out.
pub(super) const FETCH_DEADLINE: Duration = Duration::from_secs(600);

/// Pieces of the stream that wait to be read.
pub(super) const CHUNKS_IN_FLIGHT: usize = 16;

/// Reads files of a cage's project into a spool, which is given back.
///
/// A file that has gone or cannot be read is missing in the result; that is no error.
pub(super) async fn fetch(
    place: &Place,
    wanted: BTreeSet<SafePath>,
    mut spool: Spool,
) -> Result<(Received, Spool)> {
    if wanted.is_empty() {
        return Ok((Received::default(), spool));
    }
    if place.still().is_some() {
        return fetch_still(place, wanted, spool).await;
    }
    let running = place.exec(tar_exec(place, &wanted)).await?;
    let reading = move |stream| {
        let received = receive(stream, &wanted, Limits::default(), &mut spool);
        (received, spool)
    };
    let (received, spool) = read_output(running, FETCH, reading).await?;
    Ok((received?, spool))
}

/// Reads a program's output in a thread that may block, and returns what came of it.
///
/// The program's exit code says nothing here; what arrived does.
pub(super) async fn read_output<T: Send + 'static>(
    running: Running,
    operation: &'static str,
    read: impl FnOnce(ChunkReader) -> T + Send + 'static,
) -> Result<T> {
    let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let reading = spawn_blocking(move || read(ChunkReader::new(chunks)));
    let forwarded = forward(running, sender).await;
    let outcome =
        reading.await.map_err(|error| EngineError::Lost { operation, reason: error.to_string() })?;
    // A broken stream is often the consequence of a broken connection, which says more.
    forwarded?;
    Ok(outcome)
}

fn tar_exec(place: &Place, wanted: &BTreeSet<SafePath>) -> Exec {
    let mut names = Vec::new();
    for path in wanted {
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    let argv = [
        "tar",
        "--create",
        "--file=-",
        "--format=gnu",
        // Hard links become files of their own, so that an archive needs no entry that points at another.
        "--hard-dereference",
        "--no-recursion",
        "--ignore-failed-read",
        "--null",
        "--verbatim-files-from",
        "--files-from=-",
    ];
    Exec::new(FETCH, argv, FETCH_DEADLINE).cwd(place.folder_path()).stdin(Stdin::Bytes(names.into()))
}

/// `tar` fails when a file vanished although it sent the others.
async fn forward(mut running: Running, sender: mpsc::Sender<Bytes>) -> Result<()> {
    while let Some(bytes) = running.next_stdout().await? {
        if sender.send(bytes).await.is_err() {
            // The reader has given up and says why.
            return Ok(());
        }
    }
    drop(sender);
    running.exit().await.map(drop)
}

/// Pieces that come from the async side, as a reader.
pub(crate) struct ChunkReader {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl ChunkReader {
    pub(super) fn new(chunks: mpsc::Receiver<Bytes>) -> Self {
        Self { chunks, current: Bytes::new() }
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
