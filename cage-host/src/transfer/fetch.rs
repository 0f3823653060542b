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

pub(super) const FETCH: &str = "read files of the project";

/// Longest time for taking files out.
pub(super) const FETCH_DEADLINE: Duration = Duration::from_secs(600);

/// Pieces of the stream that wait to be read.
pub(super) const CHUNKS_IN_FLIGHT: usize = 16;

/// Makes an archive of the files whose names it reads.
pub(super) const TAR: [&str; 10] = [
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

/// Reads files of a cage's project into a spool, which is given back.
///
/// A file that has gone or cannot be read is missing in the result; that is no error.
pub(super) async fn fetch(
    place: &Place,
    wanted: BTreeSet<SafePath>,
    spool: Spool,
) -> Result<(Received, Spool)> {
    if wanted.is_empty() {
        return Ok((Received::default(), spool));
    }
    if place.still().is_some() {
        return fetch_still(place, wanted, spool).await;
    }
    let exec = Exec::new(FETCH, TAR, FETCH_DEADLINE);
    let exec = exec.cwd(place.folder_path()).stdin(Stdin::Bytes(names(&wanted)));
    let running = place.exec(exec).await?;
    receive_from(running, Bytes::new(), wanted, spool).await
}

/// Returns what [`TAR`] reads.
pub(super) fn names(wanted: &BTreeSet<SafePath>) -> Bytes {
    let mut names = Vec::new();
    for path in wanted {
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    names.into()
}

/// Reads what [`TAR`] sends, whose first bytes may have come already.
pub(super) async fn receive_from(
    mut running: Running,
    came_early: Bytes,
    wanted: BTreeSet<SafePath>,
    mut spool: Spool,
) -> Result<(Received, Spool)> {
    let reading = move |stream: ChunkReader| {
        let stream = came_early.reader().chain(stream);
        let received = receive(stream, &wanted, Limits::default(), &mut spool);
        (received, spool)
    };
    let ((received, spool), ended) = read_output(&mut running, FETCH, reading).await?;
    // The exit code is asked for only when nothing came: `tar` fails also when a file vanished although it sent the
    // others, and the engine takes a while to know the code.
    if ended && !received.as_ref().is_ok_and(|received| !received.files.is_empty()) {
        running.exit().await?;
    }
    Ok((received?, spool))
}

/// Reads a program's output in a thread that may block, and returns what came of it, and whether the output has ended:
/// of one that goes on after the reader has given up, no more is read.
pub(super) async fn read_output<T: Send + 'static>(
    running: &mut Running,
    operation: &'static str,
    read: impl FnOnce(ChunkReader) -> T + Send + 'static,
) -> Result<(T, bool)> {
    let (sender, chunks) = mpsc::channel(CHUNKS_IN_FLIGHT);
    let reading = spawn_blocking(move || read(ChunkReader::new(chunks)));
    let forwarded = forward(running, sender).await;
    let outcome =
        reading.await.map_err(|error| EngineError::Lost { operation, reason: error.to_string() })?;
    // A broken stream is often the consequence of a broken connection, which says more.
    Ok((outcome, forwarded?))
}

/// Says whether the output has ended.
async fn forward(running: &mut Running, sender: mpsc::Sender<Bytes>) -> Result<bool> {
    while let Some(bytes) = running.next_stdout().await? {
        if sender.send(bytes).await.is_err() {
            // The reader has given up and says why.
            return Ok(false);
        }
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;
    use crate::backend::{Chunk, Feeder};
    use crate::error::{CageError, Error};

    /// Far more pieces than are in flight.
    const PIECES: usize = 100_000;

    #[tokio::test]
    async fn reads_no_more_of_an_answer_that_makes_no_sense_and_goes_on_and_on() {
        let taken = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&taken);
        let chunks = stream::repeat_with(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(Chunk::Stdout(Bytes::from_static(&[b'x'; 4_096])))
        });
        let exec = Exec::new(FETCH, TAR, FETCH_DEADLINE);
        let feeder = Feeder::start(Stdin::Empty, tokio::io::sink());
        let running = Running::new(&exec, chunks.take(PIECES).boxed(), async { Ok(2) }.boxed(), feeder);

        let wanted = BTreeSet::from([SafePath::new(b"a").unwrap()]);
        let error = receive_from(running, Bytes::new(), wanted, Spool::new().unwrap()).await.unwrap_err();
        assert!(matches!(error, Error::Cage(CageError::Malformed { .. })), "{error}");
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken < PIECES / 10, "{taken} pieces were taken");
    }
}
