//! Many senders and many readers at once, among thousands of kept files: nothing lost, nothing out of order.
//!
//! On ext4 and overlayfs a listing that runs during a send can miss an earlier message and have a later one. The last
//! test is a reader that trusts such a listing, and it loses messages.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use cage_proto::env::{IdSource as _, System};
use cage_proto::mailbox::{Draft, EntryName, Mailbox, publish};
use cage_proto::message::{Envelope, ProgressUpdate};
use cage_tests::cage_dir::TestDir;
use cage_tests::mounts::{Ext4, in_own_mounts, overlay};
use cage_tests::places::program;
use chrono::DateTime;

const SENDERS: u64 = 8;

/// Messages of one sender.
const EACH: u64 = 25;

/// Files that are there already.
const KEPT: [u64; 3] = [10, 1_000, 10_000];

/// The same for those who have the time.
const KEPT_IN_A_SOAK: u64 = 100_000;

/// Room for all of them.
const MEBIBYTES: u64 = 2_048;

/// Seconds after which a reader that waits has missed something. It takes a few, and a minute or two in a soak.
const READER_SECONDS_MAX: &str = "600";

/// The names of the two consumers that move a cursor.
const CONSUMERS: [&str; 2] = ["steady", "patient"];

/// A moment before any test.
const LONG_AGO: i64 = 1_700_000_000_000_000;

/// Fills a mailbox with numbered messages that both consumers have consumed.
fn fill(cage: &TestDir, kept: u64) {
    let folder = cage.folder(Mailbox::Outbox);
    fs::create_dir_all(&folder).unwrap();
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    for seq in 1..=kept {
        let instant = DateTime::from_timestamp_micros(LONG_AGO + i64::try_from(seq).unwrap()).unwrap();
        let name = EntryName::at(instant);
        let message = Envelope {
            id: System.next_id(),
            timestamp: instant.into(),
            payload: ProgressUpdate::new("kept").into(),
            seq: Some(seq),
            extra: serde_json::Map::new(),
        };
        fs::write(folder.join(name.as_str()), message.to_file_bytes().unwrap()).unwrap();
        if seq == kept {
            for consumer in CONSUMERS {
                fs::write(cage.dir.cursors().join(format!("{consumer}.cursor")), name.as_str()).unwrap();
            }
        }
    }
}

fn send_all(cage: &TestDir) {
    for _ in 0..EACH {
        let sent = cage.send("sent");
        assert!(sent.status.success(), "{sent:?}");
    }
}

/// The numbers of the messages in a program's output, of whatever form.
fn numbers(line: &str) -> Option<u64> {
    let value: serde_json::Value = serde_json::from_str(line).unwrap();
    value.pointer("/message/seq").or(value.get("seq"))?.as_u64()
}

/// Looks again and again, as a script does, until the last message has come.
fn drain(cage: &TestDir, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    while seen.last() < Some(&last) {
        let output = cage.run("cage-poll", &["--mailbox", "outbox", "--consumer", CONSUMERS[0], "--all"]);
        assert!(output.status.success(), "{output:?}");
        seen.extend(String::from_utf8(output.stdout).unwrap().lines().filter_map(numbers));
    }
    seen
}

/// Waits for one message after the other.
fn wait_for_each(cage: &TestDir, last: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    let wait = ["--mailbox", "outbox", "--consumer", CONSUMERS[1], "--timeout", READER_SECONDS_MAX];
    while seen.last() < Some(&last) {
        let output = cage.run("cage-poll", &wait);
        assert!(output.status.success(), "nothing came after {:?}: {output:?}", seen.last());
        seen.extend(numbers(&String::from_utf8(output.stdout).unwrap()));
    }
    seen
}

/// Follows from the first message on.
fn follow(cage: &TestDir, last: u64) -> Vec<u64> {
    let mut command = Command::new("timeout");
    command.arg(READER_SECONDS_MAX).arg(program("cage-poll"));
    command.args(cage.arguments(&["--mailbox", "outbox", "--follow", "--since", "beginning"]));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        seen.extend(numbers(&line.unwrap()));
        if seen.last() >= Some(&last) {
            // Its output is closed now, which ends it.
            break;
        }
    }
    child.wait().unwrap();
    seen
}

fn assert_in_order(reader: &str, seen: &[u64], first: u64, last: u64) {
    let wrong = seen.iter().zip(first..).find(|(seen, expected)| **seen != *expected);
    assert_eq!(wrong, None, "{reader} saw the left number where it expected the right one");
    assert_eq!(seen.last(), Some(&last), "{reader} did not see all");
}

/// Eight senders and three readers at once.
fn exchange(folder: &Path, kept: u64) {
    let cage = &TestDir::at(folder);
    fill(cage, kept);
    let last = kept + SENDERS * EACH;
    thread::scope(|scope| {
        let drained = scope.spawn(|| drain(cage, last));
        let waited = scope.spawn(|| wait_for_each(cage, last));
        let followed = scope.spawn(|| follow(cage, last));
        for _ in 0..SENDERS {
            scope.spawn(|| send_all(cage));
        }
        assert_in_order("the one that looks again and again", &drained.join().unwrap(), kept + 1, last);
        assert_in_order("the one that waits for each", &waited.join().unwrap(), kept + 1, last);
        assert_in_order("the one that follows", &followed.join().unwrap(), 1, last);
    });
}

fn exchange_among_more_and_more(ground: &Path) {
    let soak = env::var_os("CAGE_SOAK").is_some_and(|value| value == "1").then_some(KEPT_IN_A_SOAK);
    for kept in KEPT.into_iter().chain(soak) {
        let begun = Instant::now();
        exchange(&ground.join(kept.to_string()), kept);
        println!("{kept} kept: {} messages to 3 readers in {:?}", SENDERS * EACH, begun.elapsed());
    }
}

fn with_ext4(test: &str, body: impl FnOnce(&Ext4, &Path)) {
    in_own_mounts(test, |ground| body(&Ext4::make(&ground.join("disk"), MEBIBYTES), ground));
}

#[test]
fn loses_and_swaps_nothing_on_ext4() {
    with_ext4("loses_and_swaps_nothing_on_ext4", |ext4, _| exchange_among_more_and_more(ext4.path()));
}

#[test]
fn loses_and_swaps_nothing_on_overlayfs() {
    with_ext4("loses_and_swaps_nothing_on_overlayfs", |ext4, ground| {
        let overlaid = ground.join("overlay");
        // The image has the folders already, so that those of a container are merged ones.
        let in_the_image = |lower: &Path| {
            for kept in KEPT.into_iter().chain([KEPT_IN_A_SOAK]) {
                fs::create_dir_all(lower.join(kept.to_string()).join("outbox")).unwrap();
            }
        };
        overlay(&ext4.path().join("parts"), &overlaid, in_the_image);
        exchange_among_more_and_more(&overlaid);
    });
}

#[test]
fn loses_and_swaps_nothing_on_tmpfs() {
    in_own_mounts("loses_and_swaps_nothing_on_tmpfs", exchange_among_more_and_more);
}

/// Files among which one listing takes long enough for a send to fall into it.
const KEPT_FOR_ONE_LISTING: u64 = 5_000;

/// Far above the moments that it takes until the first message is lost.
const LOST_SOON: Duration = Duration::from_secs(60);

/// The names in one listing.
fn listing(folder: &Path) -> BTreeSet<EntryName> {
    let entries = fs::read_dir(folder).unwrap();
    entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok()).collect()
}

#[test]
fn a_reader_that_trusts_one_listing_loses_a_message() {
    with_ext4("a_reader_that_trusts_one_listing_loses_a_message", |ext4, _| {
        let cage = TestDir::at(&ext4.path().join("cage"));
        fill(&cage, KEPT_FOR_ONE_LISTING);
        let folder = &cage.folder(Mailbox::Outbox);
        let (published, done) = (&Mutex::new(listing(folder)), &Mutex::new(false));
        let begun = Instant::now();
        thread::scope(|scope| {
            scope.spawn(move || {
                while !*done.lock().unwrap() {
                    let payload = ProgressUpdate::new("sent").into();
                    let draft = Draft { id: System.next_id(), may_be_a_repeat: false, payload };
                    let name = publish(folder, &draft, &System).unwrap().name;
                    published.lock().unwrap().insert(name);
                }
            });
            let mut seen = BTreeSet::new();
            let lost = loop {
                let new = listing(folder);
                // It goes on behind the highest name; what it has not seen by then it never sees.
                let cursor = new.last().cloned().unwrap();
                seen.extend(new);
                let published = published.lock().unwrap();
                let lost = published.range(..cursor).find(|name| !seen.contains(*name)).cloned();
                if lost.is_some() || begun.elapsed() > LOST_SOON {
                    break lost;
                }
            };
            *done.lock().unwrap() = true;
            println!("lost {lost:?} after {:?}", begun.elapsed());
            assert!(lost.is_some(), "one listing was enough: this file system gives snapshots");
        });
    });
}
