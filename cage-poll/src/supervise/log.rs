//! The log of the agent's output: as it comes, rotated, with its last part kept at hand for error reports.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Bytes of the log above which a new one is begun, at the end of a line; the one before is kept. A long task writes
/// some ten megabytes.
const LOG_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes that are kept for error reports.
const TAIL_BYTES: usize = 2_000;

/// Bytes of stderr that are held back until stdout is at the end of a line.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// Writes what an agent prints on stdout, and what it prints on stderr in between lines of that.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
    in_line: bool,
    held: Vec<u8>,
    tail: VecDeque<u8>,
}

impl Log {
    /// Opens a log, behind what is in it already.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        Self::open_with_limit(path, LOG_BYTES_MAX)
    }

    fn open_with_limit(path: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let file = File::options().append(true).create(true).open(&path)?;
        let bytes = file.metadata()?.len();
        let (in_line, held, tail) = (false, Vec::new(), VecDeque::new());
        Ok(Self { path, file, bytes, bytes_max, in_line, held, tail })
    }

    /// Writes what came on stdout.
    pub(super) fn stdout(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes)?;
        self.in_line = bytes.last().is_some_and(|last| *last != b'\n');
        if !self.in_line {
            self.release()?;
            self.rotate()?;
        }
        Ok(())
    }

    /// Writes what came on stderr, whole lines between the lines of stdout.
    pub(super) fn stderr(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.held.extend_from_slice(bytes);
        if self.held.len() > HELD_BYTES_MAX {
            self.held.push(b'\n');
            self.in_line = false;
        }
        if self.in_line { Ok(()) } else { self.release() }
    }

    /// Writes whole lines that were held back.
    fn release(&mut self) -> io::Result<()> {
        let Some(end) = self.held.iter().rposition(|byte| *byte == b'\n') else { return Ok(()) };
        let rest = self.held.split_off(end + 1);
        let lines = std::mem::replace(&mut self.held, rest);
        self.write(&lines)
    }

    /// Ends the line that an agent left open, at the end of its turn.
    pub(super) fn end_turn(&mut self) -> io::Result<()> {
        if self.in_line {
            self.stdout(b"\n")?;
        }
        if !self.held.is_empty() {
            self.stderr(b"\n")?;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tail.extend(bytes.iter().rev().take(TAIL_BYTES).rev());
        let surplus = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..surplus);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn rotate(&mut self) -> io::Result<()> {
        if self.bytes < self.bytes_max {
            return Ok(());
        }
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        fs::rename(&self.path, before)?;
        self.file = File::options().append(true).create(true).open(&self.path)?;
        self.bytes = 0;
        Ok(())
    }

    /// Returns the last part of what was written.
    pub(super) fn tail(&self) -> String {
        let (front, back) = self.tail.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).trim().to_owned()
    }

    /// Forgets what was kept for error reports, so that a turn is not blamed for the one before.
    pub(super) fn forget_tail(&mut self) {
        self.tail.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes_max: u64) -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open_with_limit(folder.path().join("log"), bytes_max).unwrap();
        (folder, log)
    }

    fn text(log: &Log) -> String {
        fs::read_to_string(&log.path).unwrap()
    }

    #[test]
    fn writes_stdout_as_it_comes_and_stderr_between_its_lines() {
        let (_folder, mut log) = log(1000);
        log.stdout(b"{\"a\":").unwrap();
        log.stderr(b"warning\nhal").unwrap();
        assert_eq!(text(&log), "{\"a\":");
        log.stdout(b"1}\n").unwrap();
        log.stderr(b"f").unwrap();
        assert_eq!(text(&log), "{\"a\":1}\nwarning\n");
        log.end_turn().unwrap();
        assert_eq!(text(&log), "{\"a\":1}\nwarning\nhalf\n");
    }

    #[test]
    fn begins_a_new_file_at_the_end_of_a_line() {
        let (folder, mut log) = log(10);
        log.stdout(b"0123456789").unwrap();
        log.stdout(b"ab\n").unwrap();
        log.stdout(b"new\n").unwrap();
        assert_eq!(text(&log), "new\n");
        assert_eq!(fs::read_to_string(folder.path().join("log.1")).unwrap(), "0123456789ab\n");
    }

    #[test]
    fn keeps_the_end_for_error_reports() {
        let (_folder, mut log) = log(1_000_000);
        log.stdout(&[b'x'; TAIL_BYTES * 2]).unwrap();
        log.stdout(b"\nthe end\n").unwrap();
        assert!(log.tail().ends_with("x\nthe end"));
        assert!(log.tail().len() <= TAIL_BYTES);
        log.forget_tail();
        assert_eq!(log.tail(), "");
    }

    #[test]
    fn goes_on_behind_what_an_earlier_supervisor_wrote() {
        let (folder, mut log) = log(1000);
        log.stdout(b"one\n").unwrap();
        let mut again = Log::open(folder.path().join("log")).unwrap();
        again.stdout(b"two\n").unwrap();
        assert_eq!(text(&again), "one\ntwo\n");
    }
}
