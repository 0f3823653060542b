//! An agent in the foreground: its stream as it comes, and its end.

use super::launch::started;
use super::place::Place;
use crate::backend::Running;
use crate::error::{CageError, Result};

/// Longest line of an agent's stream, in bytes. A line holds one event, at most a tool's whole output.
pub const MAX_STREAM_LINE_BYTES: usize = 16 * 1024 * 1024;

const READ: &str = "read the agent's stream";

/// Runs the rest of the command line and prints what it adds to the stream's log, beginning where the log ends now.
/// `$1` is the message folder.
///
/// Standard input ends when the host lets go; then the agent is told to end. The watcher's output goes nowhere, since
/// whoever holds the output open keeps the host waiting for its end.
pub(super) const SCRIPT: &str = "umask 077
cage=$1; shift
log=$cage/claude-stream.log
[ -e \"$log\" ] || : > \"$log\"
[ -f \"$log\" ] || { echo \"$log is no regular file\" >&2; exit 2; }
from=$(($(wc -c < \"$log\") + 1))
exec 3<&0
\"$@\" </dev/null >/dev/null 2>\"$cage/supervise.err\" 3<&- &
pid=$!
{ cat <&3; kill -TERM $pid; } >/dev/null 2>&1 &
watcher=$!
tail -c +$from -F --pid=$pid -s 0.1 \"$log\" 2>/dev/null 3<&-
kill $watcher
wait $pid; code=$?
tail -c 2000 \"$cage/supervise.err\" >&2
exit $code";

/// An agent that works while somebody watches. [`Cage::run`](crate::Cage::run) starts it.
///
/// Its stream comes out line by line as the agent writes it: one JSON object each with Claude Code. It ends with the
/// agent's turn, or with what [`Task::idle_after`](crate::Task::idle_after) gives it for messages after that. Dropping
/// the handle ends the agent; a later launch can resume it.
#[derive(Debug)]
#[must_use = "an agent in the foreground ends with its handle"]
pub struct AgentRun {
    place: Place,
    running: Running,
    pending: Vec<u8>,
    /// How much of `pending` is known to hold no end of a line.
    searched: usize,
    ended: bool,
}

impl AgentRun {
    pub(super) fn new(place: Place, running: Running) -> Self {
        Self { place, running, pending: Vec::new(), searched: 0, ended: false }
    }

    /// Waits for the next line, without its line feed; `None` when the agent has ended.
    ///
    /// The agent wrote it, so [`sanitize`](crate::sanitize()) it before it is shown. Bytes that are no UTF-8 are
    /// replaced.
    ///
    /// # Errors
    /// - [`CageError::TooMuch`] for a line of more than [`MAX_STREAM_LINE_BYTES`]; nothing can be read after it.
    /// - [`CageError`] or [`EngineError`](crate::EngineError) when the cage or the engine goes away.
    pub async fn next_line(&mut self) -> Option<Result<String>> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read().await {
                self.ended = true;
                self.pending.clear();
                return Some(Err(error));
            }
        }
    }

    /// Reads the rest of the stream and returns when the agent has ended as planned; how its work went is in the
    /// stream and in the outbox.
    ///
    /// # Errors
    /// - [`RequestError::AgentRunning`](crate::RequestError::AgentRunning) when another agent is at work.
    /// - [`CageError::Exited`] when the agent could not be started, and the errors of [`AgentRun::next_line`].
    pub async fn finish(mut self) -> Result<()> {
        while let Some(line) = self.next_line().await {
            line?;
        }
        started(&self.place, self.running.exit().await?)
    }

    /// Reads once, which brings more bytes or the end.
    async fn read(&mut self) -> Result<()> {
        match self.running.next_stdout().await? {
            Some(bytes) => self.pending.extend_from_slice(&bytes),
            None => self.ended = true,
        }
        if self.pending.len() > MAX_STREAM_LINE_BYTES {
            let limit = MAX_STREAM_LINE_BYTES as u64;
            return Err(CageError::TooMuch { operation: READ, limit, unit: "bytes in a line" }.into());
        }
        Ok(())
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.pending[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = end.map(|end| self.searched + end) else {
            self.searched = self.pending.len();
            // What an agent leaves unfinished at its end is a line too.
            let rest = if self.ended { std::mem::take(&mut self.pending) } else { Vec::new() };
            self.searched = self.searched.min(self.pending.len());
            return (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned());
        };
        let rest = self.pending.split_off(end + 1);
        let line = std::mem::replace(&mut self.pending, rest);
        self.searched = 0;
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}
