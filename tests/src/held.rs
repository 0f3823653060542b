//! A program that is held where it prints its result, and what it has used up to there.

use std::fs;
use std::io::{PipeReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Bytes that a new pipe takes before a writer has to wait.
const PIPE_BYTES: usize = 65_536;

/// Ticks of the processor time in `/proc` in one second.
const TICKS_PER_SECOND: u64 = 100;

/// Numbers of the calls that write, on x86-64 and on 64-bit ARM.
const WRITES: [&str; 4] = ["1", "20", "64", "66"];

/// Far above what a program here takes, far below a hung CI.
const DEADLINE: Duration = Duration::from_secs(120);

/// A program that waits in the first write to its standard output, since nobody has emptied the pipe.
#[derive(Debug)]
pub struct Held {
    child: Child,
    output: PipeReader,
}

/// What a program used.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time, its own and the kernel's for it.
    pub cpu: Duration,
    /// The most memory that was resident at once, in KiB.
    pub peak_kib: u64,
}

impl Held {
    /// Starts a program and returns when it wants to print.
    ///
    /// # Panics
    /// When it ends or does nothing of the kind before the deadline.
    pub fn start(command: &mut Command) -> Self {
        let (output, mut input) = std::io::pipe().expect("a pipe can be made");
        input.write_all(&vec![b'\n'; PIPE_BYTES]).expect("a new pipe takes so much");
        let mut child = command.stdin(Stdio::null()).stdout(input).spawn().expect("the program can be run");
        // Its own copy of the pipe would keep the reader waiting.
        command.stdout(Stdio::null());
        let begun = Instant::now();
        while !wants_to_print(child.id()) {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none() && begun.elapsed() < DEADLINE, "it has not printed: {ended:?}");
            std::thread::yield_now();
        }
        Self { child, output }
    }

    /// Returns what it has used so far.
    ///
    /// # Panics
    /// When the kernel does not tell.
    pub fn usage(&self) -> Usage {
        let read = |file: &str| {
            fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).expect("the program is alive")
        };
        let (status, stat) = (read("status"), read("stat"));
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB")).and_then(|kib| kib.parse().ok());
        // Behind the program's name, which stands in parentheses: the 12th and 13th are the ticks.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Usage {
            cpu: Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND),
            peak_kib: peak.expect("a status has its peak"),
        }
    }

    /// Ends it here.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Lets it go on to its end, and returns what it printed.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn finish(mut self) -> (ExitStatus, Vec<u8>) {
        let mut printed = Vec::new();
        self.output.read_to_end(&mut printed).expect("a pipe can be read");
        (self.child.wait().expect("a child can be waited for"), printed.split_off(PIPE_BYTES))
    }
}

fn wants_to_print(pid: u32) -> bool {
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    let mut words = call.split_whitespace();
    words.next().is_some_and(|number| WRITES.contains(&number)) && words.next() == Some("0x1")
}
