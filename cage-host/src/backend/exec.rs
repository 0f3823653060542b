//! Running one program in a cage: the primitive that everything else is built on.

use std::time::Duration;

use bytes::Bytes;
use cage_proto::exit_code::Exit as Code;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::{CageError, Result};
use crate::sanitize::sanitize_stderr;

/// Error output kept of one program, in bytes: its end says what went wrong.
const STDERR_TAIL_BYTES: usize = 8 * 1024;

/// What a shell and the engine answer for a program that is not there or cannot be run.
const EXIT_NOT_EXECUTABLE: [i64; 2] = [126, 127];

/// How Docker begins when it could not start a program.
const ENGINES_COMPLAINT: &[u8] = b"OCI runtime exec failed";

/// What runc says of a folder that a program cannot be started in.
const NO_FOLDER: &str = "chdir";

/// What programs say of a full disk, and of a full share of one: in the words of glibc and in those of musl.
const DISK_FULL: [&str; 3] = ["No space left on device", "Disk quota exceeded", "Quota exceeded"];

/// A program to run in a cage. Nothing secret belongs into `argv`: it can be seen by every process.
#[derive(Debug)]
pub(crate) struct Exec {
    /// What it is for, as the verb phrase that an error message needs: "list the project".
    pub(crate) operation: &'static str,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// Where it runs: the root of all folders unless told otherwise, since the agent can remove any other one.
    pub(crate) cwd: String,
    pub(crate) stdin: Stdin,
    /// The time from start to exit that is allowed; `None` for a program that is meant to stay.
    pub(crate) deadline: Option<Duration>,
    /// Whether the program's exit codes are those of [`cage_proto::exit_code`], which say more than its error output.
    keeps_exit_codes: bool,
}

/// What a program reads on its standard input.
#[derive(Debug)]
pub(crate) enum Stdin {
    /// Nothing: it sees the end at once.
    Empty,
    /// These bytes, then the end.
    Bytes(Bytes),
    /// Chunks as they are made, then the end.
    Stream(mpsc::Receiver<Bytes>),
    /// Nothing, and the end only when the [`Running`] handle goes away.
    HeldOpen,
}

impl Exec {
    pub(crate) fn new<A: Into<String>>(
        operation: &'static str,
        argv: impl IntoIterator<Item = A>,
        deadline: Duration,
    ) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self {
            operation,
            argv,
            env: Vec::new(),
            cwd: "/".to_owned(),
            stdin: Stdin::Empty,
            deadline: Some(deadline),
            keeps_exit_codes: false,
        }
    }

    pub(crate) fn stdin(mut self, stdin: Stdin) -> Self {
        self.stdin = stdin;
        self
    }

    pub(crate) fn env(mut self, env: Vec<(String, String)>) -> Self {
        self.env = env;
        self
    }

    pub(crate) fn cwd(mut self, cwd: impl Into<String>) -> Self {
        self.cwd = cwd.into();
        self
    }

    /// Has the program's exit code believed: only a storage error can be a full disk, whatever else it prints.
    pub(crate) fn keeping_exit_codes(mut self) -> Self {
        self.keeps_exit_codes = true;
        self
    }

    pub(crate) fn unlimited(mut self) -> Self {
        self.deadline = None;
        self
    }
}

/// A piece of a program's output.
#[derive(Debug)]
pub(crate) enum Chunk {
    Stdout(Bytes),
    Stderr(Bytes),
}

/// A started program. Dropping it closes both its streams.
pub(crate) struct Running {
    operation: &'static str,
    program: String,
    folder: String,
    deadline: Option<(Instant, Duration)>,
    chunks: BoxStream<'static, Result<Chunk>>,
    exit: BoxFuture<'static, Result<i64>>,
    keeps_exit_codes: bool,
    stderr: Vec<u8>,
    /// The first piece of standard output: Docker complains there of what it could not start.
    opening: Bytes,
    _feeder: Feeder,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("program", &self.program).finish_non_exhaustive()
    }
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) code: i64,
    /// The end of its error output, sanitized.
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn new(
        exec: &Exec,
        chunks: BoxStream<'static, Result<Chunk>>,
        exit: BoxFuture<'static, Result<i64>>,
        feeder: Feeder,
    ) -> Self {
        Self {
            operation: exec.operation,
            program: exec.argv.first().cloned().unwrap_or_default(),
            folder: exec.cwd.clone(),
            deadline: exec.deadline.map(|after| (Instant::now() + after, after)),
            chunks,
            exit,
            keeps_exit_codes: exec.keeps_exit_codes,
            stderr: Vec::new(),
            opening: Bytes::new(),
            _feeder: feeder,
        }
    }

    /// From now on the program does something else, for which a time of its own is allowed.
    pub(crate) fn turn_to(&mut self, operation: &'static str, after: Duration) {
        self.operation = operation;
        self.deadline = Some((Instant::now() + after, after));
    }

    /// Returns the next piece of either output, `None` at the end of both; the end of the error output is also kept
    /// for [`Running::exit`].
    pub(crate) async fn next(&mut self) -> Result<Option<Chunk>> {
        let chunk = within(self.deadline, self.operation, self.chunks.next()).await?.transpose()?;
        match &chunk {
            Some(Chunk::Stderr(bytes)) => {
                self.stderr.extend_from_slice(bytes);
                let excess = self.stderr.len().saturating_sub(STDERR_TAIL_BYTES);
                self.stderr.drain(..excess);
            }
            Some(Chunk::Stdout(bytes)) if self.opening.is_empty() => self.opening = bytes.clone(),
            Some(Chunk::Stdout(_)) | None => {}
        }
        Ok(chunk)
    }

    /// Returns the next piece of standard output, `None` at its end.
    pub(crate) async fn next_stdout(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.next().await? {
                Some(Chunk::Stdout(bytes)) => return Ok(Some(bytes)),
                Some(Chunk::Stderr(_)) => {}
                None => return Ok(None),
            }
        }
    }

    /// Reads the rest of the output, then returns how the program ended.
    ///
    /// A missing program or folder and a full disk are errors of their own here; other exit codes are the caller's to
    /// judge.
    pub(crate) async fn exit(mut self) -> Result<Exit> {
        while self.next_stdout().await?.is_some() {}
        let code = within(self.deadline, self.operation, &mut self.exit).await??;
        let not_started = EXIT_NOT_EXECUTABLE.contains(&code) && self.opening.starts_with(ENGINES_COMPLAINT);
        let stderr = sanitize_stderr(if not_started { &self.opening } else { &self.stderr });
        let operation = self.operation;
        let may_be_full = if self.keeps_exit_codes { code == Code::Storage as i64 } else { code != 0 };
        if EXIT_NOT_EXECUTABLE.contains(&code) && stderr.contains(NO_FOLDER) {
            return Err(CageError::FolderMissing { operation, folder: self.folder }.into());
        }
        if EXIT_NOT_EXECUTABLE.contains(&code) && stderr.contains("not found") {
            // A shell names the program that it missed before the colon; the engine means the one it was to start.
            let program = stderr.strip_suffix(": not found").and_then(|text| text.rsplit(' ').next());
            let program = program.map_or(self.program, str::to_owned);
            return Err(CageError::ProgramMissing { operation, program }.into());
        }
        if may_be_full && DISK_FULL.iter().any(|words| stderr.contains(words)) {
            return Err(CageError::DiskFull { operation }.into());
        }
        Ok(Exit { code, stderr })
    }

    /// Like [`Running::exit`], and any exit code but 0 is an error.
    pub(crate) async fn success(self) -> Result<()> {
        let operation = self.operation;
        self.exit().await?.success(operation)
    }

    /// Reads all of the standard output, at most `limit` bytes of it, and expects success.
    pub(crate) async fn collect(mut self, limit: usize) -> Result<Vec<u8>> {
        let operation = self.operation;
        let mut output = Vec::new();
        while let Some(bytes) = self.next_stdout().await? {
            if output.len() + bytes.len() > limit {
                return Err(CageError::TooMuch { operation, limit: limit as u64, unit: "bytes" }.into());
            }
            output.extend_from_slice(&bytes);
        }
        self.success().await?;
        Ok(output)
    }
}

impl Exit {
    /// Turns any exit code but 0 into an error.
    pub(crate) fn success(self, operation: &'static str) -> Result<()> {
        match self.code {
            0 => Ok(()),
            code => Err(CageError::Exited { operation, code, stderr: self.stderr }.into()),
        }
    }
}

async fn within<T>(
    deadline: Option<(Instant, Duration)>,
    operation: &'static str,
    future: impl Future<Output = T>,
) -> Result<T> {
    match deadline {
        None => Ok(future.await),
        Some((at, after)) => {
            timeout_at(at, future).await.map_err(|_| CageError::TimedOut { operation, after }.into())
        }
    }
}

/// The task that writes a program's standard input; dropping it closes that input.
#[derive(Debug)]
pub(crate) struct Feeder(JoinHandle<()>);

impl Feeder {
    /// Starts to write `source` into `sink` and closes `sink` after it.
    pub(crate) fn start(source: Stdin, sink: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(tokio::spawn(async move {
            // A program that ends without reading all of its input is no error here: its exit code tells.
            let _ = feed(source, sink).await;
        }))
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn feed(source: Stdin, mut sink: impl AsyncWrite + Unpin) -> std::io::Result<()> {
    match source {
        Stdin::Empty => {}
        Stdin::Bytes(bytes) => sink.write_all(&bytes).await?,
        Stdin::Stream(mut chunks) => {
            while let Some(chunk) = chunks.recv().await {
                sink.write_all(&chunk).await?;
            }
        }
        Stdin::HeldOpen => std::future::pending().await,
    }
    sink.shutdown().await
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, stream};

    use super::*;
    use crate::error::Error;

    const FULL: &str = "cannot sync the folder: No space left on device (os error 28)";

    /// Lets a program end with this code after a complaint about a full disk.
    async fn ended(exec: Exec, code: i64) -> Result<()> {
        let chunks = stream::iter([Ok(Chunk::Stderr(Bytes::from_static(FULL.as_bytes())))]).boxed();
        let feeder = Feeder::start(Stdin::Empty, tokio::io::sink());
        Running::new(&exec, chunks, async move { Ok(code) }.boxed(), feeder).success().await
    }

    fn exec() -> Exec {
        Exec::new("try it", ["program"], Duration::from_secs(60))
    }

    #[tokio::test]
    async fn believes_the_words_of_a_program_whose_exit_codes_mean_nothing() {
        for code in [1, 2, 75] {
            let error = ended(exec(), code).await.unwrap_err();
            assert!(matches!(error, Error::Cage(CageError::DiskFull { .. })), "{code}: {error}");
        }
        ended(exec(), 0).await.unwrap();
    }

    #[tokio::test]
    async fn believes_the_exit_codes_of_a_program_that_keeps_them() {
        let outcome = async |code: Code| ended(exec().keeping_exit_codes(), code as i64).await.unwrap_err();
        let stored = outcome(Code::Storage).await;
        assert!(matches!(stored, Error::Cage(CageError::DiskFull { .. })), "{stored}");
        for code in [Code::Rejected, Code::Usage, Code::Unknown] {
            let error = outcome(code).await;
            let told =
                matches!(&error, Error::Cage(CageError::Exited { code: told, .. }) if *told == code as i64);
            assert!(told, "{code:?}: {error}");
        }
    }
}
