//! Readers in other languages, written from `docs/protocol.md` alone, beside our own senders and readers.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use cage_proto::mailbox::Mailbox;
use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::places::root;

/// Both readers in other languages.
const READERS: [&str; 2] = ["read.py", "read.sh"];

const SENDERS: usize = 4;
const MESSAGES_EACH: usize = 12;

/// Older than any time after which an unfinished file counts as malformed.
const LONG_AGO: &str = "2026-01-01T00-00-00Z.json";

/// A message of a foreign writer.
const WHOLE: &str = r#"{"id":"late","type":"progress_update","timestamp":"2026-01-01T00:00:00Z","payload":{"status":"late"}}"#;

fn read(cage: &TestDir, reader: &str) -> Output {
    let program: PathBuf = root().join("examples/readers").join(reader);
    let output = Command::new(program).arg(cage.dir.path()).arg("outbox").output().unwrap();
    assert!(output.status.success(), "{reader}: {output:?}");
    output
}

fn our_poll(cage: &TestDir, arguments: &[&str]) -> Output {
    cage.run("cage-poll", &[&["--mailbox", "outbox"], arguments].concat())
}

fn send_all(cage: &TestDir, who: usize) {
    for number in 1..=MESSAGES_EACH {
        let status = format!("{who} {number}");
        assert!(cage.send(&status).status.success(), "{status}");
    }
}

/// Asserts that what was read, in this order, is what every sender sent, in its order.
fn assert_all_in_order(read: &[String]) {
    assert_eq!(read.len(), SENDERS * MESSAGES_EACH, "lost or repeated: {read:?}");
    for who in 0..SENDERS {
        let prefix = format!("{who} ");
        let of_this_one: Vec<_> = read.iter().filter(|status| status.starts_with(&prefix)).cloned().collect();
        let sent: Vec<_> = (1..=MESSAGES_EACH).map(|number| format!("{who} {number}")).collect();
        assert_eq!(of_this_one, sent);
    }
}

#[test]
fn take_turns_on_one_cursor_while_senders_send_and_lose_repeat_and_swap_nothing() {
    let cage = TestDir::new();
    assert!(cage.send("before").status.success());
    assert_eq!(printed(&read(&cage, READERS[0])), ["before"]);
    let running = AtomicUsize::new(SENDERS);
    let seen = thread::scope(|scope| {
        for who in 0..SENDERS {
            let (cage, running) = (&cage, &running);
            scope.spawn(move || {
                send_all(cage, who);
                running.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let mut seen = Vec::new();
        loop {
            // Looked at before the last round, so that this round has everything.
            let last = running.load(Ordering::SeqCst) == 0;
            for reader in READERS {
                seen.extend(printed(&read(&cage, reader)));
            }
            seen.extend(printed(&our_poll(&cage, &["--all"])));
            if last {
                break seen;
            }
        }
    });
    assert_all_in_order(&seen);
    let newest = cage.outbox().last().unwrap().timestamp.to_string().replace(':', "-");
    let cursor = fs::read_to_string(cage.dir.cursors().join("outbox.cursor")).unwrap();
    assert_eq!(cursor, format!("{newest}.json\n"));
}

#[test]
fn share_a_cursor_and_never_both_get_a_message() {
    let cage = TestDir::new();
    for who in 0..SENDERS {
        send_all(&cage, who);
    }
    let cage = &cage;
    let each = thread::scope(|scope| {
        let readers = READERS.map(|reader| scope.spawn(move || printed(&read(cage, reader))));
        readers.map(|reader| reader.join().unwrap())
    });
    assert_all_in_order(&each.concat());
}

#[test]
fn report_what_is_no_message_and_deliver_what_is_behind_it() {
    for reader in READERS {
        let cage = TestDir::new();
        let elsewhere = cage.dir.path().join("elsewhere.json");
        cage.put(Mailbox::Outbox, "notes.json", "{}");
        cage.put(Mailbox::Outbox, "2026-01-01T00-00-01Z.json", r#"{"id":"a"}"#);
        cage.put(Mailbox::Outbox, "2026-01-01T00-00-02Z.json", "[]");
        cage.put(Mailbox::Outbox, "2026-01-01T00-00-03Z.json", &" ".repeat(1024 * 1024 + 1));
        fs::write(&elsewhere, WHOLE).unwrap();
        symlink(&elsewhere, cage.folder(Mailbox::Outbox).join("2026-01-01T00-00-04Z.json")).unwrap();
        assert!(cage.send("good").status.success());
        let output = read(&cage, reader);
        assert_eq!(printed(&output), ["good"], "{reader}");
        let complaints = String::from_utf8(output.stderr).unwrap();
        for name in ["notes.json", "00-00-01Z", "00-00-02Z", "00-00-03Z", "00-00-04Z"] {
            assert!(complaints.contains(name), "{reader} does not name {name}:\n{complaints}");
        }
    }
}

#[test]
fn do_not_block_on_a_fifo() {
    for reader in READERS {
        let cage = TestDir::new();
        assert!(cage.send("good").status.success());
        let fifo = cage.folder(Mailbox::Outbox).join(LONG_AGO);
        assert!(Command::new("mkfifo").arg(fifo).status().unwrap().success());
        assert_eq!(printed(&read(&cage, reader)), ["good"], "{reader}");
    }
}

#[test]
fn hold_back_what_is_behind_a_file_that_may_still_be_written() {
    for reader in READERS {
        let cage = TestDir::new();
        cage.put(Mailbox::Outbox, LONG_AGO, r#"{"id":"late","type":"progress_update","#);
        assert!(cage.send("behind").status.success());
        assert_eq!(printed(&read(&cage, reader)), Vec::<String>::new(), "{reader}");
        cage.put(Mailbox::Outbox, LONG_AGO, WHOLE);
        assert_eq!(printed(&read(&cage, reader)), ["late", "behind"], "{reader}");
    }
}

#[test]
fn go_on_behind_a_bare_time_stamp() {
    for reader in READERS {
        let cage = TestDir::new();
        for status in ["first", "second"] {
            assert!(cage.send(status).status.success());
        }
        fs::create_dir_all(cage.dir.cursors()).unwrap();
        fs::write(cage.dir.cursors().join("outbox.cursor"), cage.outbox()[0].timestamp.to_string()).unwrap();
        assert_eq!(printed(&read(&cage, reader)), ["second"], "{reader}");
    }
}
