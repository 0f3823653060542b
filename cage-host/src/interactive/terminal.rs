//! A person's terminal, attached to a session in a cage.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch::Receiver;

use crate::error::{IoContext as _, Result};

/// Bytes of one read from the keyboard; a paste comes in several.
const INPUT_BYTES: usize = 4 * 1024;

/// Kinds of terminal that are in every image; others come with the programs that are their own terminals.
const KNOWN: [&str; 8] =
    ["xterm", "xterm-256color", "screen", "screen-256color", "tmux", "tmux-256color", "linux", "vt100"];

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A program with a terminal of its own, in a cage.
pub(crate) struct Terminal {
    pub(crate) output: BoxStream<'static, Result<Bytes>>,
    pub(crate) input: Box<dyn AsyncWrite + Send + Unpin>,
    pub(crate) resize: Box<dyn Fn(TerminalSize) -> BoxFuture<'static, Result<()>> + Send + Sync>,
    pub(crate) exit: BoxFuture<'static, Result<i64>>,
}

/// Returns the kind of terminal to name in the cage.
pub(super) fn known(terminal: &str) -> &str {
    if KNOWN.contains(&terminal) { terminal } else { "xterm-256color" }
}

/// Passes bytes on in both directions and sizes inwards, until the program ends. Returns its exit code.
pub(super) async fn bridge(
    mut terminal: Terminal,
    mut size: Receiver<TerminalSize>,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<i64> {
    let mut keys = [0; INPUT_BYTES];
    let (mut has_input, mut has_sizes) = (true, true);
    // The program has a size from its first output on; before that there may be no program yet. One that does not learn
    // it can still be used, and one that has just ended needs none.
    let mut is_sized = false;
    loop {
        tokio::select! {
            shown = terminal.output.next() => {
                let Some(shown) = shown else { break };
                output.write_all(&shown?).await.context("write to", TERMINAL.as_ref())?;
                output.flush().await.context("write to", TERMINAL.as_ref())?;
                if !std::mem::replace(&mut is_sized, true) {
                    let first = *size.borrow_and_update();
                    let _ = (terminal.resize)(first).await;
                }
            }
            changed = size.changed(), if is_sized && has_sizes => {
                has_sizes = changed.is_ok();
                let next = *size.borrow_and_update();
                let _ = (terminal.resize)(next).await;
            }
            read = input.read(&mut keys), if has_input => {
                let read = read.context("read from", TERMINAL.as_ref())?;
                has_input = read > 0;
                if terminal.input.write_all(&keys[..read]).await.is_err() {
                    // The program is about to end; its output ends too.
                    has_input = false;
                }
            }
        }
    }
    terminal.exit.await
}

/// What an error message calls the terminal.
const TERMINAL: &str = "the terminal";
