//! The agent's process and its process group.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::thread;

use cage_proto::mailbox::CageDir;
use rustix::process::{Pid, Signal, kill_process_group};

use super::agents::Invocation;
use crate::files;

/// A running agent, which leads its own process group.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// Tells this process from a later one with the same number.
    pub(super) start_ticks: Option<u64>,
}

/// What a running agent prints.
pub(super) struct Output {
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

impl Child {
    /// Starts an agent and writes its instructions to its stdin.
    pub(super) fn start(invocation: &Invocation, text: &str, dir: &CageDir) -> io::Result<(Self, Output)> {
        if let Some(path) = &invocation.instructions_file {
            files::replace(path, text.as_bytes()).map_err(io::Error::other)?;
        }
        let mut child = Command::new(&invocation.program)
            .args(&invocation.args)
            .envs(invocation.env.iter().map(|(name, value)| (name, value)))
            // What the agent sends belongs into the same folder, whichever way this one was told.
            .env("CAGE_DIR", dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(io::Error::other("the pipes to the agent are missing"));
        };
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("the agent has no process number"))?;
        let text = text.to_owned();
        // Beside everything else: an agent may take its time to read, or never do. What it does not read is its own
        // decision; it had its chance.
        thread::spawn(move || stdin.write_all(text.as_bytes()));
        Ok((Self { pid, start_ticks: start_ticks(pid) }, Output { stdout, stderr }))
    }

    /// Sends a signal to the agent and every process of its group. One that has ended needs none.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.pid, signal);
    }
}

/// Returns when a process was started, in clock ticks since boot; nothing when there is none.
pub(super) fn start_ticks(pid: Pid) -> Option<u64> {
    /// The place of the start time among the fields behind the program's name.
    const START_TIME: usize = 19;
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    fields(&stat).nth(START_TIME)?.parse().ok()
}

/// Returns the parent of a process from its `/proc/<pid>/stat`.
pub(super) fn parent(stat: &str) -> Option<i32> {
    fields(stat).nth(1)?.parse().ok()
}

/// The fields behind the program's name, which stands in brackets and may hold anything.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_parent_of_a_program_with_a_hostile_name() {
        assert_eq!(parent("7 (a) R 9 (b) S 3 7 7 0"), Some(3));
        assert_eq!(parent("nonsense"), None);
    }

    #[test]
    fn knows_when_this_process_was_started() {
        assert!(start_ticks(rustix::process::getpid()).is_some());
    }
}
