//! The programs are static and small: they run where there is nothing but themselves.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::places::program;

/// Bytes of one program, of which each container carries both.
const PROGRAM_BYTES_MAX: u64 = 1_600_000;

/// Runs a program in a root that holds the two programs and nothing else.
fn run(root: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("chroot");
    if !rustix::process::geteuid().is_root() {
        command = Command::new("unshare");
        command.args(["--map-root-user", "chroot"]);
    }
    let output = command.arg(root).args(arguments).args(["--dir", "/cage"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[test]
fn sends_and_reads_in_an_empty_root() {
    let root = tempfile::tempdir().unwrap();
    for name in ["cage-send", "cage-poll"] {
        fs::copy(program(name), root.path().join(name)).unwrap();
    }
    run(root.path(), &["/cage-send", "progress_update", "--status", "hi"]);
    let polled = run(root.path(), &["/cage-poll", "--mailbox", "outbox", "--timeout", "0"]);
    assert_eq!(printed(&polled), ["hi"]);
    assert_eq!(TestDir::at(&root.path().join("cage")).statuses(), ["hi"]);
}

#[test]
fn each_program_is_small() {
    for name in ["cage-send", "cage-poll"] {
        let bytes = fs::metadata(program(name)).unwrap().len();
        assert!(bytes <= PROGRAM_BYTES_MAX, "{name} has {bytes} bytes");
    }
}
