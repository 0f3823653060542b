//! A loss of power at any moment: what was acknowledged is there whole, and the next publisher goes on.
//!
//! Each test works on an ext4 in a file. What is in that file at one moment is what the loss of power would leave; it
//! is mounted elsewhere, where ext4 replays its journal, and looked at. The last two tests take away one sync each, and
//! the same look must find what got lost.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, PipeReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};

use cage_proto::mailbox::Mailbox;
use cage_proto::message::Envelope;
use cage_tests::cage_dir::{TestDir, printed, status};
use cage_tests::mounts::{Ext4, in_own_mounts};
use cage_tests::places::program;
use cage_tests::strace::{Call, calls, killed_before, pretending};
use rustix::process::{Pid, Signal, kill_process_group};

/// Small, since it is read as a whole for each loss of power, with room for all messages of a test.
const MEBIBYTES: u64 = 16;

const SENDERS: usize = 4;

/// How often the power goes while they send.
const LOSSES_OF_POWER: usize = 30;

/// Sends until it is killed, and prints the status of each message that was acknowledged.
const SENDER: &str = r#"while :; do n=$((n + 1)); "$1" progress_update --status "$2-$n" --dir "$3" >/dev/null && echo "$2-$n"; done"#;

/// What may not happen.
#[derive(Debug, PartialEq, Eq)]
enum Loss {
    /// A message's file does not hold a message.
    Torn,
    /// This status was acknowledged and is not there.
    Missing(String),
}

/// Runs a test with a disk, and with a folder for what is left of it.
fn with_disk(test: &str, body: impl FnOnce(&Ext4, &Path)) {
    in_own_mounts(test, |ground| body(&Ext4::make(&ground.join("disk"), MEBIBYTES), ground));
}

fn losses(cage: &TestDir, acknowledged: &[&str]) -> Vec<Loss> {
    let mut losses = Vec::new();
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(cage.folder(Mailbox::Outbox)).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            match Envelope::parse(&fs::read(path).unwrap()) {
                Ok(message) => losses.extend((!there.insert(status(&message))).then_some(Loss::Torn)),
                Err(_) => losses.push(Loss::Torn),
            }
        }
    }
    let missing = acknowledged.iter().filter(|status| !there.contains(**status));
    losses.extend(missing.map(|status| Loss::Missing((*status).to_owned())));
    losses
}

/// Asserts that nothing was lost, and that sending goes on where it ended.
fn check(cage: &TestDir, acknowledged: &[&str], when: &str) {
    assert_eq!(losses(cage, acknowledged), [], "{when}");
    let before = cage.statuses();
    for status in ["next", "after next"] {
        let sent = cage.send(status);
        assert!(sent.status.success(), "{when}: {sent:?}");
    }
    let expected: Vec<_> = before.into_iter().chain(["next", "after next"].map(str::to_owned)).collect();
    assert_eq!(cage.statuses(), expected, "{when}");
    assert_eq!(cage.leftovers(), [""; 0], "{when}");
}

/// A message folder on a file system, in which `a` was sent.
fn cage_on(disk: &Ext4, name: &str) -> TestDir {
    let cage = TestDir::at(&disk.path().join(name));
    assert!(cage.send("a").status.success());
    cage
}

/// The system calls that a program makes in such a folder, from the first on that touches it.
fn calls_on(disk: &Ext4, name: &str, arguments: &[&str]) -> Vec<Call> {
    let cage = cage_on(disk, "traced");
    let calls = calls(&program(name), &cage.arguments(arguments)).into_iter();
    calls.skip_while(|call| !call.names(cage.dir.path())).collect()
}

const SEND: [&str; 3] = ["progress_update", "--status", "b"];

#[test]
fn keeps_every_acknowledged_message_when_power_goes_at_any_call_of_a_sender() {
    with_disk("keeps_every_acknowledged_message_when_power_goes_at_any_call_of_a_sender", |disk, ground| {
        for (index, call) in calls_on(disk, "cage-send", &SEND).iter().enumerate() {
            let name = index.to_string();
            let cage = cage_on(disk, &name);
            let killed = killed_before(call, &program("cage-send"), &cage.arguments(&SEND));
            let acknowledged: &[_] = if killed.stdout.starts_with(b"Sent ") { &["a", "b"] } else { &["a"] };
            let left = disk.after_a_loss_of_power(&ground.join("left"));
            check(&TestDir::at(&left.path().join(&name)), acknowledged, &format!("before {call}"));
            drop(left);
            // Whoever comes next clears up first; what it then acknowledges is as safe.
            assert!(cage.send("c").status.success());
            let left = disk.after_a_loss_of_power(&ground.join("left"));
            check(&TestDir::at(&left.path().join(&name)), &["a", "c"], &format!("later than before {call}"));
        }
    });
}

#[test]
fn skips_no_message_when_power_goes_at_any_call_of_a_reader() {
    with_disk("skips_no_message_when_power_goes_at_any_call_of_a_reader", |disk, ground| {
        let poll = ["--mailbox", "outbox", "--timeout", "0"];
        for (index, call) in calls_on(disk, "cage-poll", &poll).iter().enumerate() {
            let name = index.to_string();
            let cage = cage_on(disk, &name);
            let killed = killed_before(call, &program("cage-poll"), &cage.arguments(&poll));
            let left = disk.after_a_loss_of_power(&ground.join("left"));
            let left = TestDir::at(&left.path().join(&name));
            let left_over = left.run("cage-poll", &["--mailbox", "outbox", "--all"]);
            let seen = [printed(&killed), printed(&left_over)].concat();
            assert!(seen.contains(&"a".to_owned()), "before {call}: {seen:?}");
            assert!(left.send("b").status.success());
            assert_eq!(printed(&left.run("cage-poll", &poll)), ["b"], "before {call}");
        }
    });
}

/// Senders that never end by themselves, in a process group of their own.
struct Senders {
    children: Vec<Child>,
    acknowledged: BufReader<PipeReader>,
}

impl Senders {
    fn start(cage: &TestDir) -> Self {
        let (acknowledged, output) = std::io::pipe().unwrap();
        let mut children: Vec<Child> = Vec::new();
        for index in 0..SENDERS {
            let mut sender = Command::new("sh");
            sender.args(["-c", SENDER, "sh"]).arg(program("cage-send")).arg(index.to_string());
            sender.arg(cage.dir.path()).stdout(output.try_clone().unwrap());
            let group = children.first().map_or(0, |first| first.id().try_into().unwrap());
            children.push(sender.process_group(group).spawn().unwrap());
        }
        Self { children, acknowledged: BufReader::new(acknowledged) }
    }

    fn next_acknowledged(&mut self) -> String {
        let mut line = String::new();
        self.acknowledged.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn signal(&self, signal: Signal) {
        kill_process_group(Pid::from_child(&self.children[0]), signal).unwrap();
    }
}

impl Drop for Senders {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        for child in &mut self.children {
            let _ = child.wait();
        }
    }
}

#[test]
fn keeps_every_acknowledged_message_when_power_goes_while_many_send() {
    with_disk("keeps_every_acknowledged_message_when_power_goes_while_many_send", |disk, ground| {
        let cage = TestDir::at(&disk.path().join("cage"));
        let mut senders = Senders::start(&cage);
        let mut acknowledged = Vec::new();
        for index in 0..LOSSES_OF_POWER {
            // Different numbers, so that the power goes in different places.
            acknowledged.extend((0..=index % 7).map(|_| senders.next_acknowledged()));
            // Stopped, so that the device comes to rest. They stop wherever they are.
            senders.signal(Signal::STOP);
            let left = disk.after_a_loss_of_power(&ground.join("left"));
            let statuses: Vec<_> = acknowledged.iter().map(String::as_str).collect();
            check(&TestDir::at(&left.path().join("cage")), &statuses, &format!("loss of power {index}"));
            // Not sooner, or a fast machine fills the disk while the rest is looked at.
            senders.signal(Signal::CONT);
        }
    });
}

/// What is lost when a sender acknowledges a message with one of its two syncs left out.
fn losses_without_sync(nth: usize, disk: &Ext4, ground: &Path) -> Vec<Loss> {
    let calls = calls_on(disk, "cage-send", &SEND);
    let syncs: Vec<_> = calls.iter().filter(|call| call.name == "fsync").collect();
    assert_eq!(syncs.len(), 2, "a message is synced, and then its folder: {syncs:?}");
    let cage = cage_on(disk, "cage");
    assert!(pretending(syncs[nth], &program("cage-send"), &cage.arguments(&SEND)).status.success());
    let left = disk.after_a_loss_of_power(&ground.join("left"));
    losses(&TestDir::at(&left.path().join("cage")), &["a", "b"])
}

#[test]
fn finds_a_torn_message_when_its_file_is_not_synced() {
    with_disk("finds_a_torn_message_when_its_file_is_not_synced", |disk, ground| {
        assert_eq!(losses_without_sync(0, disk, ground), [Loss::Torn, Loss::Missing("b".to_owned())]);
    });
}

#[test]
fn finds_a_lost_message_when_its_folder_is_not_synced() {
    with_disk("finds_a_lost_message_when_its_folder_is_not_synced", |disk, ground| {
        assert_eq!(losses_without_sync(1, disk, ground), [Loss::Missing("b".to_owned())]);
    });
}
