//! One program in an embedded cage.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitStatus, Stdio};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::folders::Folders;
use crate::backend::{CageId, Chunk, Exec, Feeder, Running, Stdin};
use crate::error::{CageError, Error, IoContext as _, Result};

/// Size of one read from a program, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Pieces of output that wait to be read.
const CHUNKS_IN_FLIGHT: usize = 16;

/// Where a program is looked for after the folder of the programs.
const FALLBACK_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What an exit by a signal adds to the signal's number, as in a shell.
const SIGNAL_EXIT_BASE: i32 = 128;

impl Folders {
    /// Starts a program with its streams attached; it is killed when the handle goes away.
    pub(crate) fn exec(&self, id: &CageId, exec: Exec) -> Result<Running> {
        self.check_running(id, exec.operation)?;
        self.spawn(id, exec)
    }

    /// Starts a program also where the cage is stopped: it is one of the host's.
    pub(super) fn spawn(&self, id: &CageId, mut exec: Exec) -> Result<Running> {
        let mut child = self
            .command(id, &exec)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| spawn_error(&exec, error))?;
        let (sender, mut receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(forward(stdout, Chunk::Stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(forward(stderr, Chunk::Stderr, sender));
        }
        let source = std::mem::replace(&mut exec.stdin, Stdin::Empty);
        let feeder = match child.stdin.take() {
            Some(stdin) => Feeder::start(source, stdin),
            None => Feeder::start(source, tokio::io::sink()),
        };
        let chunks = stream::poll_fn(move |context| receiver.poll_recv(context)).map(Ok).boxed();
        let program = self.programs.clone();
        let exit =
            async move { child.wait().await.context("wait for a program of", &program).map(exit_code) };
        Ok(Running::new(&exec, chunks, exit.boxed(), feeder))
    }

    /// Prepares a program with the environment of a container and nothing of the host's but the search path.
    fn command(&self, id: &CageId, exec: &Exec) -> Command {
        let layout = self.layout(id);
        let (program, arguments) = exec.argv.split_first().map_or(("", &[][..]), |(p, a)| (p.as_str(), a));
        let path = std::env::var("PATH").unwrap_or_else(|_| FALLBACK_PATH.to_owned());
        let path = format!("{}:{path}", self.programs.display());
        let mut command = Command::new(find_program(program, &path));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", path)
            .env("HOME", layout.home())
            .env("CAGE_DIR", layout.cage_dir())
            // A session of the agent goes with the cage, and is not found among those of the user.
            .env("TMUX_TMPDIR", layout.cage_dir())
            .env("LANG", "C.UTF-8")
            .env("TRUSTY_CAGE", "1")
            .envs(exec.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&exec.cwd);
        command
    }
}

/// Returns the exit code as a shell would.
fn exit_code(status: ExitStatus) -> i64 {
    i64::from(status.code().unwrap_or_else(|| SIGNAL_EXIT_BASE + status.signal().unwrap_or(0)))
}

/// Looks a program up in the child's own search path: a spawn would look in the host program's.
fn find_program(program: &str, path: &str) -> std::path::PathBuf {
    if program.contains('/') {
        return program.into();
    }
    path.split(':')
        .map(|folder| std::path::Path::new(folder).join(program))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| program.into())
}

async fn forward(mut from: impl AsyncRead + Unpin, kind: fn(Bytes) -> Chunk, to: mpsc::Sender<Chunk>) {
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if to.send(kind(Bytes::copy_from_slice(&buffer[..read]))).await.is_err() {
            return;
        }
    }
}

fn spawn_error(exec: &Exec, error: io::Error) -> Error {
    let program = exec.argv.first().cloned().unwrap_or_default();
    let operation = exec.operation;
    if error.kind() == io::ErrorKind::NotFound && !std::path::Path::new(&exec.cwd).is_dir() {
        return CageError::FolderMissing { operation, folder: exec.cwd.clone() }.into();
    }
    if error.kind() == io::ErrorKind::NotFound {
        return CageError::ProgramMissing { operation, program }.into();
    }
    crate::error::IoError { operation: "run", path: program.into(), source: error }.into()
}
