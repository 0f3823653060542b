//! An engine at the far end of the program `ssh`, as the `docker` program itself reaches it.

use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tower_service::Service;

use crate::endpoint::SshTarget;
use crate::sanitize::sanitize_stderr;

/// Seconds that `ssh` may take until the other machine answers, within the deadline of the call.
const CONNECT_SECONDS: &str = "10";

/// What `ssh` says that is kept, in bytes: its last words are why it failed.
const COMPLAINT_BYTES: u64 = 8 * 1024;

/// Makes connections to the engine of another machine.
#[derive(Debug, Clone)]
pub(super) struct SshConnector(SshTarget);

impl SshConnector {
    pub(super) fn new(target: SshTarget) -> Self {
        Self(target)
    }

    fn command(&self) -> Command {
        let Self(SshTarget { user, host, port, socket }) = self;
        let mut command = Command::new("ssh");
        // A library has nobody whom it could ask for a password.
        command.args(["-T", "-o", "BatchMode=yes", "-o"]).arg(format!("ConnectTimeout={CONNECT_SECONDS}"));
        command.args(user.iter().flat_map(|user| ["-l", user]));
        command.args(port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        command.args(["--", host, "docker"]);
        command.args(socket.iter().flat_map(|socket| ["--host".to_owned(), format!("unix://{socket}")]));
        command.args(["system", "dial-stdio"]);
        // A Ctrl-C in the terminal is for the program that uses this library to handle.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn connect(&self) -> io::Result<SshStream> {
        let mut ssh = self.command().spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                io::Error::new(error.kind(), "there is no program `ssh`; install OpenSSH")
            }
            _ => error,
        })?;
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        Ok(SshStream {
            stdin: Some(ssh.stdin.take().ok_or_else(closed)?),
            stdout: ssh.stdout.take().ok_or_else(closed)?,
            complaint: tokio::spawn(complaint(ssh.stderr.take().ok_or_else(closed)?)),
            answered: false,
            _ssh: ssh,
        })
    }
}

/// Any address will do: the target is known.
impl<Uri> Service<Uri> for SshConnector {
    type Response = TokioIo<SshStream>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        ready(self.connect().map(TokioIo::new))
    }
}

/// Reads all of the error output, so that `ssh` never waits for a reader, and returns the beginning of it.
async fn complaint(mut stderr: ChildStderr) -> String {
    let mut beginning = Vec::new();
    // What could be read is all there is to say.
    let _ = (&mut stderr).take(COMPLAINT_BYTES).read_to_end(&mut beginning).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    sanitize_stderr(&beginning)
}

/// The streams of one `ssh`, which ends with it.
#[derive(Debug)]
pub(super) struct SshStream {
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    complaint: JoinHandle<String>,
    answered: bool,
    _ssh: Child,
}

impl SshStream {
    fn stdin(&mut self) -> io::Result<Pin<&mut ChildStdin>> {
        self.stdin.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl AsyncRead for SshStream {
    /// An end without any answer is the failure of `ssh`, whose own words are the reason.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(cx, buffer))?;
        if buffer.filled().len() > before || self.answered {
            self.answered = true;
            return Poll::Ready(Ok(()));
        }
        let complaint = ready!(Pin::new(&mut self.complaint).poll(cx)).unwrap_or_default();
        Poll::Ready(Err(io::Error::other(format!("ssh: {complaint}"))))
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.stdin()?.poll_write(cx, bytes)) {
            // Let the reader find out why it is gone.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.answered => {
                Poll::Ready(Ok(bytes.len()))
            }
            other => Poll::Ready(other),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin()?.poll_flush(cx)
    }

    /// The pipe must be closed for the other side to see the end; shutting it down does nothing.
    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

impl Connection for SshStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::{Address, Endpoint};

    fn command_line(address: &str) -> String {
        let Address::Ssh(target) = Endpoint::named(address).unwrap().address else { panic!("{address}") };
        let command = SshConnector::new(target).command();
        let words = command.as_std().get_args().map(|word| word.to_string_lossy().into_owned());
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn asks_no_questions_and_takes_a_host_for_nothing_else() {
        insta::assert_snapshot!(command_line("ssh://build"), @"-T -o BatchMode=yes -o ConnectTimeout=10 -- build docker system dial-stdio");
    }

    #[test]
    fn passes_user_port_and_socket_on() {
        insta::assert_snapshot!(command_line("ssh://me@build:2222/run/user/7/docker.sock"), @"-T -o BatchMode=yes -o ConnectTimeout=10 -l me -p 2222 -- build docker --host unix:///run/user/7/docker.sock system dial-stdio");
    }
}
