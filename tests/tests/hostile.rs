//! Mailboxes that somebody filled to do harm: answered soon, in little memory, and the good message gets through.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cage_proto::limits::{JSON_VALUES_MAX, MESSAGE_BYTES_MAX};
use cage_proto::mailbox::Mailbox;
use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::held::{Held, Usage};
use cage_tests::places::program;
use cage_tests::skip::soak;

/// Processor time in which any mailbox is answered.
const CPU_MAX: Duration = Duration::from_secs(2);

/// Memory in which any mailbox is answered, in KiB.
const PEAK_KIB_MAX: u64 = 16 * 1024;

/// Files in a crowded mailbox.
const FILES: usize = 200_000;

/// The same for those who have the time.
const FILES_IN_A_SOAK: usize = 1_000_000;

/// Runs a program that has to print something, and asserts that it was quick and small until then.
fn run(cage: &TestDir, name: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(program(name));
    let held = Held::start(command.args(cage.arguments(arguments)).stderr(Stdio::piped()));
    let Usage { cpu, peak_kib } = held.usage();
    let (status, stdout) = held.finish();
    assert!(peak_kib < PEAK_KIB_MAX, "{name} {arguments:?} took {peak_kib} KiB");
    assert!(cpu < CPU_MAX, "{name} {arguments:?} took {cpu:?}");
    println!("{name} {}: {peak_kib} KiB, {cpu:?}", arguments.join(" "));
    assert!(status.success(), "{status}");
    Output { status, stdout, stderr: Vec::new() }
}

/// A message with the status `good`.
fn good(name: &str) -> String {
    let stamp = name.trim_end_matches("Z.json").replacen('-', ":", 4).replacen(':', "-", 2);
    format!(r#"{{"id":"g","type":"progress_update","timestamp":"{stamp}Z","payload":{{"status":"good"}}}}"#)
}

/// An envelope around a payload.
fn envelope(payload: &str) -> String {
    format!(r#"{{"id":"e","type":"x","timestamp":"2026-01-01T00:00:00Z","payload":{payload}}}"#)
}

const POLL: [&str; 4] = ["--mailbox", "outbox", "--timeout", "0"];

#[test]
fn delivers_the_good_message_behind_a_zoo() {
    let cage = TestDir::new();
    let outbox = cage.folder(Mailbox::Outbox);
    fs::create_dir_all(&outbox).unwrap();
    let name = |second: usize| format!("2026-01-01T00-00-{second:02}Z.json");
    assert!(Command::new("mkfifo").arg(outbox.join(name(1))).status().unwrap().success());
    let _socket = UnixListener::bind(outbox.join(name(2))).unwrap();
    fs::create_dir(outbox.join(name(3))).unwrap();
    symlink("/etc/shadow", outbox.join(name(4))).unwrap();
    fs::File::create(outbox.join(name(5))).unwrap().set_len(1 << 40).unwrap();
    cage.put(Mailbox::Outbox, &name(6), &("[".repeat(500_000) + &"]".repeat(500_000)));
    cage.put(Mailbox::Outbox, &name(7), &"{\"a\":".repeat(200_000));
    cage.put(Mailbox::Outbox, &name(8), &envelope(&format!("[{}]", vec!["0"; JSON_VALUES_MAX].join(","))));
    cage.put(Mailbox::Outbox, &name(9), &"\u{9b}".repeat(MESSAGE_BYTES_MAX / 2));
    cage.put(Mailbox::Outbox, "\u{1b}[2J\n\u{7}.json", "{}");
    cage.put(Mailbox::Outbox, &name(20), &good(&name(20)));
    if rustix::process::geteuid().is_root() {
        let device = outbox.join(name(10));
        // A device that anybody may make: reading it never ends.
        assert!(Command::new("mknod").arg(device).args(["c", "1", "5"]).status().unwrap().success());
    }
    assert_eq!(printed(&run(&cage, "cage-poll", &POLL)), ["good"]);
}

#[test]
fn reads_the_largest_messages_there_are() {
    let deep = |value: &str| "[".repeat(29) + &vec![value; 60_000].join(",") + &"]".repeat(29);
    let mut members = String::from("{\"0\":0");
    for index in 1..50_000 {
        write!(members, ",\"{index:06x}\":0").unwrap();
    }
    let text = |letter: &str| format!(r#"{{"text":"{}"}}"#, letter.repeat(1_000_000 / letter.len()));
    for payload in [
        format!(r#"{{"deep":{}}}"#, deep("0")),
        format!(r#"{{"deep":{}}}"#, deep("\"\u{7f}\"")),
        format!("{members}}}"),
        text("x"),
        text("\u{7f}"),
        text("\u{9b}"),
    ] {
        for all in [false, true] {
            let cage = TestDir::new();
            let name = "2026-01-01T00-00-00Z.json";
            cage.put(Mailbox::Outbox, name, &envelope(&payload));
            let arguments = if all { &["--mailbox", "outbox", "--all"][..] } else { &POLL };
            let output = run(&cage, "cage-poll", arguments);
            assert_eq!(printed(&output), ["x"]);
        }
    }
}

#[test]
fn delivers_the_good_message_behind_a_file_that_grows_while_it_is_read() {
    let cage = TestDir::new();
    cage.put(Mailbox::Outbox, "2026-01-01T00-00-00Z.json", "{\"id\":\"");
    cage.put(Mailbox::Outbox, "2026-01-01T00-00-01Z.json", &good("2026-01-01T00-00-01Z.json"));
    let mut growing = fs::File::options()
        .append(true)
        .open(cage.folder(Mailbox::Outbox).join("2026-01-01T00-00-00Z.json"))
        .unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) && growing.metadata().unwrap().len() < 1 << 30 {
                std::io::Write::write_all(&mut growing, &[b'x'; 4096]).unwrap();
            }
        });
        let output = run(&cage, "cage-poll", &["--mailbox", "outbox", "--timeout", "60"]);
        done.store(true, Ordering::Relaxed);
        assert_eq!(printed(&output), ["good"]);
    });
}

/// A mailbox in memory, since so many files take long on a disk.
fn crowded(file: impl Fn(usize) -> String) -> (tempfile::TempDir, TestDir) {
    let files = if soak() { FILES_IN_A_SOAK } else { FILES };
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let cage = TestDir::at(&temp.path().join("cage"));
    let folder = cage.folder(Mailbox::Outbox);
    fs::create_dir_all(&folder).unwrap();
    for index in 0..files {
        fs::File::create(folder.join(file(index))).unwrap();
    }
    (temp, cage)
}

/// The name of a foreign message that was kept since a time long ago.
fn old(index: usize) -> String {
    format!("2020-01-{:02}T00-00-00.{:09}Z.json", 1 + index % 28, index / 28)
}

#[test]
fn sends_and_reads_among_a_crowd_of_old_messages() {
    let (_temp, cage) = crowded(old);
    let output = run(&cage, "cage-send", &["progress_update", "--status", "good"]);
    assert!(output.stdout.starts_with(b"Sent "));
    let newest = "2020-02-01T00-00-00Z";
    let since = ["--mailbox", "outbox", "--timeout", "0", "--since", newest];
    assert_eq!(printed(&run(&cage, "cage-poll", &since)), ["good"]);
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    fs::write(cage.dir.cursors().join("outbox.cursor"), newest).unwrap();
    assert_eq!(printed(&run(&cage, "cage-poll", &POLL)), ["good"]);
    let said = String::from_utf8(cage.run("cage-poll", &POLL).stderr).unwrap();
    assert!(said.contains(" files in the mailbox; remove consumed ones to keep it fast"), "{said}");
}

#[test]
fn sends_and_reads_among_a_crowd_of_files_that_are_no_messages() {
    let (_temp, cage) = crowded(|index| format!("{index:0>200}.json"));
    assert!(run(&cage, "cage-send", &["progress_update", "--status", "good"]).stdout.starts_with(b"Sent "));
    assert_eq!(printed(&run(&cage, "cage-poll", &POLL)), ["good"]);
}

#[test]
fn a_follower_that_is_held_up_stays_small_among_a_crowd() {
    let temp = tempfile::tempdir_in("/dev/shm").unwrap();
    let cage = TestDir::at(&temp.path().join("cage"));
    let slow = "2026-01-01T00-00-00Z.json";
    cage.put(Mailbox::Outbox, slow, "{\"id\":\"");
    let mut command = Command::new(program("cage-poll"));
    command.args(cage.arguments(&["--mailbox", "outbox", "--follow", "--heartbeat", "3600"]));
    let held = std::thread::scope(|scope| {
        let held = scope.spawn(|| Held::start(command.stderr(Stdio::null())));
        let folder = cage.folder(Mailbox::Outbox);
        for index in 0..FILES {
            fs::File::create(folder.join(format!("2026-01-01T00-00-01.{index:09}Z.json"))).unwrap();
            if index % 10_000 == 0 {
                // Its writer goes on, so it is not given up.
                cage.put(Mailbox::Outbox, slow, &format!("{{\"id\":\"{index}"));
            }
        }
        cage.put(Mailbox::Outbox, slow, &good(slow));
        held.join().unwrap()
    });
    let Usage { peak_kib, .. } = held.usage();
    assert!(peak_kib < PEAK_KIB_MAX, "{peak_kib} KiB");
    held.kill();
}
