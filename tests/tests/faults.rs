//! Every system call fails once: never a false "Sent", nothing left over that a reader sees, and the next one works.

#![expect(clippy::panic, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::process::{Command, Output};

use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::mounts::in_own_mounts;
use cage_tests::places::program;
use cage_tests::strace::{Call, calls, failing};

/// Full disks, a broken one, a signal, too many open files, and one that became read-only.
const ERRORS: [&str; 6] = ["ENOSPC", "EDQUOT", "EIO", "EINTR", "EMFILE", "EROFS"];

/// Calls about memory and signals: they have no such errors, and a program without memory can only stop.
const OTHER_CALLS: [&str; 8] =
    ["brk", "exit_group", "getrandom", "mmap", "mprotect", "munmap", "rt_sigaction", "sigaltstack"];

const SEND: [&str; 5] = ["progress_update", "--status", "b", "--id", "b-1"];

/// Makes a message folder as it is before the program that meets the error.
type Prepare = fn() -> TestDir;

/// Lists the calls of one run and does the same in a fresh folder for each of them and each error.
fn at_each_call(prepare: Prepare, name: &str, arguments: &[&str], check: impl Fn(&TestDir, &str, &Output)) {
    let program = program(name);
    let first = prepare();
    let calls = calls(&program, &first.arguments(arguments));
    let calls = calls.into_iter().skip_while(|call| !call.names(first.dir.path()));
    let calls: Vec<Call> = calls.filter(|call| !OTHER_CALLS.contains(&call.name.as_str())).collect();
    assert!(calls.len() > 20, "only {} calls were traced", calls.len());
    for call in &calls {
        for error in ERRORS {
            let cage = prepare();
            let output = failing(call, error, &program, &cage.arguments(arguments));
            let fault = format!("{error} at {call}\n{output:?}");
            check(&cage, &fault, &output);
        }
    }
}

fn with_one() -> TestDir {
    let cage = TestDir::new();
    assert!(cage.send("a").status.success());
    cage
}

/// What holds after a send that met an error.
fn check_sender(cage: &TestDir, fault: &str, output: &Output) {
    let before = cage.statuses();
    let stored = before.contains(&"b".to_owned());
    let said = output.stdout.starts_with(b"Sent ");
    match output.status.code() {
        Some(0) => assert!(stored, "a false success: {fault}"),
        Some(74) => assert!(!stored && !said, "stored, but said not to be: {fault}"),
        Some(75) => assert!(!said, "not certain, but said to be: {fault}"),
        _ => panic!("an exit code of its own: {fault}"),
    }
    assert!(output.status.success() || !output.stderr.is_empty(), "silent: {fault}");
    let repeated = cage.run("cage-send", &SEND);
    assert!(repeated.status.success(), "{fault}");
    assert!(cage.send("c").status.success(), "{fault}");
    let after = cage.statuses();
    assert_eq!(after[after.len() - 2..], ["b", "c"], "{fault}");
    assert_eq!(after.len(), before.len() + usize::from(!stored) + 1, "{fault}");
    assert_eq!(cage.leftovers(), [""; 0], "{fault}");
}

#[test]
fn a_sender_that_meets_an_error_in_a_new_mailbox_says_what_became_of_its_message() {
    at_each_call(TestDir::new, "cage-send", &SEND, check_sender);
}

#[test]
fn a_sender_that_meets_an_error_in_a_used_mailbox_says_what_became_of_its_message() {
    at_each_call(with_one, "cage-send", &SEND, check_sender);
}

#[test]
fn a_reader_that_meets_an_error_keeps_its_message_unless_it_printed_it() {
    let prepare = || {
        let cage = with_one();
        assert!(cage.send("b").status.success());
        cage
    };
    let arguments = ["--timeout", "0", "--mailbox", "outbox"];
    at_each_call(prepare, "cage-poll", &arguments, |cage, fault, output| {
        let seen = printed(output);
        match output.status.code() {
            Some(0) => assert_eq!(seen, ["a"], "{fault}"),
            Some(74) => assert!(!output.stderr.is_empty(), "silent: {fault}"),
            _ => panic!("an exit code of its own: {fault}"),
        }
        let rest = printed(&cage.run("cage-poll", &["--all", "--mailbox", "outbox"]));
        let once = seen == ["a"] && rest == ["b"];
        // The cursor could not be written: the message is delivered again.
        let again = !output.status.success() && rest == ["a", "b"];
        assert!(once || again, "and then {rest:?}: {fault}");
        assert!(cage.send("c").status.success(), "{fault}");
        let next = printed(&cage.run("cage-poll", &["--all", "--mailbox", "outbox"]));
        assert_eq!(next, ["c"], "{fault}");
    });
}

#[test]
fn a_failed_sync_of_the_folder_is_told_apart_and_mended_by_a_repeat() {
    let program = program("cage-send");
    let folder_sync = |calls: &[Call]| calls.iter().rfind(|call| call.name == "fsync").unwrap().clone();
    let cage = with_one();
    let call = folder_sync(&calls(&program, &with_one().arguments(&SEND)));
    let output = failing(&call, "EIO", &program, &cage.arguments(&SEND));
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.ends_with("Repeat it with --id b-1; it is stored once.\n"), "{text}");
    assert!(cage.run("cage-send", &SEND).status.success());
    assert_eq!(cage.statuses(), ["a", "b"]);
}

#[test]
fn a_waiter_without_events_finds_a_message_by_its_schedule() {
    let program = program("cage-poll");
    let cage = TestDir::new();
    let arguments = ["--timeout", "30", "--schedule", "1:60", "--mailbox", "outbox"];
    let init = calls(&program, &cage.arguments(&["--timeout", "0", "--no-going-idle"]));
    let init = init.iter().find(|call| call.name == "inotify_init1").unwrap();
    let output = std::thread::scope(|scope| {
        let waiter = scope.spawn(|| failing(init, "ENOSYS", &program, &cage.arguments(&arguments)));
        assert!(cage.send("late").status.success());
        waiter.join().unwrap()
    });
    assert_eq!(printed(&output), ["late"]);
}

#[test]
fn stores_nothing_half_on_a_full_disk_and_goes_on_when_there_is_room() {
    in_own_mounts("stores_nothing_half_on_a_full_disk_and_goes_on_when_there_is_room", |ground| {
        let mut small = Command::new("mount");
        assert!(small.args(["-o", "remount,size=64k"]).arg(ground).status().unwrap().success());
        let ballast = ground.join("ballast");
        fs::write(&ballast, [0; 16 * 1024]).unwrap();
        let cage = TestDir::at(&ground.join("cage"));
        let (mut sent, full) = send_until_full(&cage);
        assert_eq!(full.status.code(), Some(74), "{full:?}");
        assert!(String::from_utf8(full.stderr).unwrap().contains("No space left on device"));
        assert!(sent.len() > 5, "{sent:?}");
        assert_eq!((cage.statuses(), cage.leftovers()), (sent.clone(), Vec::new()));
        // There is no room for a cursor: the message is printed, and again by the next reader.
        let polled = cage.run("cage-poll", &["--mailbox", "outbox", "--timeout", "0"]);
        assert_eq!((polled.status.code(), printed(&polled)), (Some(74), vec!["0".to_owned()]));
        fs::remove_file(ballast).unwrap();
        assert!(cage.send("room").status.success());
        sent.push("room".to_owned());
        assert_eq!(cage.statuses(), sent);
        assert_eq!(printed(&cage.run("cage-poll", &["--mailbox", "outbox", "--all"])), sent);
    });
}

/// Sends until that fails. Returns what was acknowledged, and the failure.
fn send_until_full(cage: &TestDir) -> (Vec<String>, Output) {
    let mut sent = Vec::new();
    loop {
        let status = sent.len().to_string();
        let output = cage.send(&status);
        if !output.status.success() {
            return (sent, output);
        }
        sent.push(status);
    }
}
