//! Killed before every single system call: what was acknowledged is there, and whoever comes next goes on.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::os::unix::process::ExitStatusExt as _;
use std::process::Output;
use std::time::{Duration, Instant};

use cage_proto::mailbox::Mailbox;
use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::places::program;
use cage_tests::strace::{Call, calls, killed_before};

/// Number of SIGKILL.
const SIGKILL: i32 = 9;

/// Far above what any of these runs takes, and below the time after which a stuck lock is given up.
const SOON: Duration = Duration::from_secs(20);

/// A message of a foreign writer with a name in the future, behind which the next one has to sort.
const FOREIGN: &str = r#"{"id":"f","type":"progress_update","timestamp":"2098-01-01T00:00:00.000Z","payload":{"status":"foreign"}}"#;

const SEND: [&str; 5] = ["progress_update", "--status", "b", "--id", "b-1"];

/// Makes a message folder as it is before the program that is killed.
type Prepare = fn() -> TestDir;

fn with_one() -> TestDir {
    let cage = TestDir::new();
    assert!(cage.send("a").status.success());
    cage
}

fn with_a_foreign_one() -> TestDir {
    let cage = with_one();
    cage.put(Mailbox::Outbox, "2098-01-01T00-00-00.000Z.json", FOREIGN);
    cage
}

/// Lists the calls of one run and does the same in a fresh folder for each of them, killed right before it.
fn at_each_call(prepare: Prepare, name: &str, arguments: &[&str], check: impl Fn(&TestDir, &Call, &Output)) {
    let program = program(name);
    let first = prepare();
    let calls = calls(&program, &first.arguments(arguments));
    // Before it opens the folder a program has done nothing that could be left undone.
    let calls: Vec<_> = calls.into_iter().skip_while(|call| !call.names(first.dir.path())).collect();
    assert!(calls.len() > 30, "only {} calls were traced", calls.len());
    for call in &calls {
        let cage = prepare();
        let killed = killed_before(call, &program, &cage.arguments(arguments));
        let by = killed.status.signal().or(killed.status.code().map(|code| code - 128));
        assert_eq!(by, Some(SIGKILL), "not killed before {call}: {killed:?}");
        let begun = Instant::now();
        check(&cage, call, &killed);
        assert!(begun.elapsed() < SOON, "something is stuck after a kill before {call}");
    }
}

/// What holds after a sender was killed.
fn check_sender(cage: &TestDir, call: &Call, killed: &Output) {
    let before = cage.statuses();
    let stored = before.contains(&"b".to_owned());
    let acknowledged = killed.stdout.starts_with(b"Sent ");
    assert!(stored || !acknowledged, "acknowledged and lost, killed before {call}");
    let others = before.len() - usize::from(stored);
    assert!(cage.send("c").status.success());
    let after = cage.statuses();
    assert_eq!(after.last().unwrap(), "c", "the next message sorts last, killed before {call}");
    assert_eq!(after.len(), before.len() + 1);
    // Whoever was killed repeats the send with the same id.
    assert!(cage.run("cage-send", &SEND).status.success());
    let repeated = cage.statuses();
    assert_eq!(repeated.iter().filter(|status| *status == "b").count(), 1, "killed before {call}");
    assert_eq!(repeated.len(), others + 2);
    assert_eq!(cage.leftovers(), [""; 0], "killed before {call}");
    assert_eq!(drained(cage), repeated, "killed before {call}");
}

/// What `cage-poll --all` prints of the outbox.
fn drained(cage: &TestDir) -> Vec<String> {
    printed(&cage.run("cage-poll", &["--all", "--mailbox", "outbox"]))
}

#[test]
fn a_sender_killed_in_a_new_mailbox_loses_nothing() {
    at_each_call(TestDir::new, "cage-send", &SEND, check_sender);
}

#[test]
fn a_sender_killed_in_a_used_mailbox_loses_nothing() {
    at_each_call(with_one, "cage-send", &SEND[..3], check_sender_without_id);
}

/// As [`check_sender`], for a message whose sender gave it no id to repeat it with.
fn check_sender_without_id(cage: &TestDir, call: &Call, killed: &Output) {
    let before = cage.statuses();
    let stored = before.contains(&"b".to_owned());
    assert!(stored || !killed.stdout.starts_with(b"Sent "), "acknowledged and lost, killed before {call}");
    assert_eq!(before[0], "a", "killed before {call}");
    assert!(cage.send("c").status.success());
    let expected: &[&str] = if stored { &["a", "b", "c"] } else { &["a", "c"] };
    assert_eq!(cage.statuses(), expected, "killed before {call}");
    assert_eq!(cage.leftovers(), [""; 0], "killed before {call}");
}

#[test]
fn a_sender_killed_beside_a_foreign_message_loses_nothing() {
    at_each_call(with_a_foreign_one, "cage-send", &SEND, check_sender);
}

/// Three messages of which the first is consumed.
fn with_one_consumed() -> TestDir {
    let cage = with_one();
    assert_eq!(drained(&cage), ["a"]);
    for status in ["b", "c"] {
        assert!(cage.send(status).status.success());
    }
    cage
}

/// What holds after a reader was killed: all it did not print follows, and of what it printed at most the last.
fn check_reader(cage: &TestDir, call: &Call, killed: &Output) {
    let (seen, rest) = (printed(killed), drained(cage));
    let pending = ["b", "c"];
    let again = seen.len() + rest.len() - pending.len();
    assert!(again <= 1 && again <= seen.len(), "printed {seen:?} and then {rest:?}, killed before {call}");
    assert_eq!(seen, pending[..seen.len()], "killed before {call}");
    assert_eq!(rest, pending[seen.len() - again..], "printed {seen:?}, killed before {call}");
    assert!(drained(cage).is_empty(), "killed before {call}");
}

#[test]
fn a_reader_killed_at_its_message_gets_it_again_and_no_other() {
    at_each_call(with_one_consumed, "cage-poll", &["--timeout", "0", "--mailbox", "outbox"], check_reader);
}

#[test]
fn a_reader_killed_among_many_messages_gets_at_most_the_last_one_again() {
    at_each_call(with_one_consumed, "cage-poll", &["--all", "--mailbox", "outbox"], check_reader);
}

#[test]
fn a_reader_killed_at_its_first_message_ever_gets_it_again() {
    let first = || {
        let cage = TestDir::new();
        for status in ["b", "c"] {
            assert!(cage.send(status).status.success());
        }
        cage
    };
    at_each_call(first, "cage-poll", &["--timeout", "0", "--mailbox", "outbox"], check_reader);
}

#[test]
fn a_waiter_killed_at_its_time_out_leaves_a_whole_outbox() {
    let check = |cage: &TestDir, call: &Call, killed: &Output| {
        let idle = cage.statuses();
        assert!(idle.iter().all(|status| status == "going_idle") && idle.len() <= 1, "{idle:?}");
        let said = killed.stdout == b"POLL_TIMEOUT\n";
        assert!(!said || idle.len() == 1, "said so and lost it, killed before {call}");
        assert!(cage.send("c").status.success());
        assert_eq!(cage.statuses().len(), idle.len() + 1, "killed before {call}");
    };
    at_each_call(TestDir::new, "cage-poll", &["--timeout", "0"], check);
}
