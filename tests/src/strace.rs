//! A program that is killed, or one of whose system calls fails, exactly where a test says.
//!
//! It works through strace, on the static programs as they are shipped.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Seconds after which a run is killed: it takes milliseconds, so this is one that hangs.
const RUN_SECONDS_MAX: &str = "60";

/// One system call of a run: the `nth` of its name, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The name, as strace prints it.
    pub name: String,
    /// Which of the calls of this name.
    pub nth: usize,
    /// The whole line that strace printed.
    line: String,
}

impl Call {
    /// Tells whether the call names this path.
    pub fn names(&self, path: &Path) -> bool {
        self.line.contains(&*path.to_string_lossy())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

/// Runs a program to its end and lists its system calls, without the one that starts it.
///
/// # Panics
/// When strace is missing or the program does not end by itself.
pub fn calls<S: AsRef<OsStr>>(program: &Path, arguments: &[S]) -> Vec<Call> {
    let trace = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let mut command = strace(&["-o", &trace.path().display().to_string()]);
    let output = run(command.arg(program).args(arguments));
    let text = std::fs::read_to_string(trace.path()).expect("the trace is text");
    let mut calls: Vec<Call> = Vec::new();
    for line in text.lines().skip(1) {
        let Some((name, _)) = line.split_once('(') else { continue };
        let nth = calls.iter().filter(|call| call.name == name).count() + 1;
        calls.push(Call { name: name.to_owned(), nth, line: line.to_owned() });
    }
    let last = calls.last().map(|call| call.name.as_str());
    assert_eq!(last, Some("exit_group"), "the program does not end by itself: {output:?}");
    calls
}

/// Runs a program that is killed right before one of its system calls. Its output is what it printed until then.
pub fn killed_before<S: AsRef<OsStr>>(call: &Call, program: &Path, arguments: &[S]) -> Output {
    injected(call, "signal=SIGKILL", program, arguments)
}

/// Runs a program one of whose system calls is not made and fails instead.
pub fn failing<S: AsRef<OsStr>>(call: &Call, errno: &str, program: &Path, arguments: &[S]) -> Output {
    injected(call, &format!("error={errno}"), program, arguments)
}

/// Runs a program one of whose system calls is not made and seems to have succeeded.
pub fn pretending<S: AsRef<OsStr>>(call: &Call, program: &Path, arguments: &[S]) -> Output {
    injected(call, "retval=0", program, arguments)
}

/// Runs a program one of whose system calls begins so much later.
pub fn delayed<S: AsRef<OsStr>>(call: &Call, by: Duration, program: &Path, arguments: &[S]) -> Output {
    injected(call, &format!("delay_enter={}", by.as_micros()), program, arguments)
}

fn injected<S: AsRef<OsStr>>(call: &Call, what: &str, program: &Path, arguments: &[S]) -> Output {
    let inject = format!("inject={}:{what}:when={}", call.name, call.nth);
    run(strace(&["-o", "/dev/null", "-e", &inject]).arg(program).args(arguments))
}

fn strace(options: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", RUN_SECONDS_MAX, "strace", "-qq"]).args(options);
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().expect("`timeout` of coreutils is there");
    assert_ne!(output.status.code(), Some(127), "strace is missing: {output:?}");
    output
}
