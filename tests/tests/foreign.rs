//! Other tools in the same folders: the scripts that these programs replace, and writers that are not careful.
//!
//! The two scripts are written from what their tool is documented to do: time stamps of milliseconds, `mktemp` and
//! `mv`, no lock; and a reader that looks again and again, with one name in a cursor file.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cage_proto::mailbox::{EntryName, Mailbox};
use cage_proto::message::Envelope;
use cage_tests::cage_dir::{TestDir, printed};
use cage_tests::places::program;
use cage_tests::strace::{calls, delayed};

/// Sends `progress_update`s with the statuses `$2-1` to `$2-$3` into the folder `$1`.
const THEIR_SEND: &str = r#"
mkdir -p "$1"
n=0
while [ $((n = n + 1)) -le "$3" ]; do
    stamp=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
    tmp=$(mktemp "$1/.tmp.XXXXXX")
    printf '{"id":"msg-%s","type":"progress_update","timestamp":"%s","payload":{"status":"%s-%s"},"version":1}' \
        "$n" "$stamp" "$2" "$n" > "$tmp"
    mv "$tmp" "$1/$(printf %s "$stamp" | tr : -).json"
done
"#;

/// Prints the next `$3` messages of the folder `$1` behind the cursor file `$2`, one after the other.
const THEIR_WAIT: &str = r#"
mkdir -p "$(dirname "$2")"
[ -e "$2" ] || : > "$2"
left=$3
while [ "$left" -gt 0 ]; do
    found=
    last=$(cat "$2")
    for file in $(ls "$1" | grep '\.json$' | LC_ALL=C sort); do
        if expr "x$file" \> "x$last" > /dev/null; then found=$file; break; fi
    done
    if [ -n "$found" ]; then
        cat "$1/$found"
        printf '%s\n' "$found" > "$2"
        left=$((left - 1))
    else
        sleep 0.05
    fi
done
"#;

/// Writes the status `slow` into the file `$1`, and takes two seconds in the middle of it.
const SLOW_WRITER: &str = r#"
{
    printf '{"id":"s","type":"progress_update","timestamp":"2026-01-01T00:00:00Z","pay'
    sleep 2
    printf 'load":{"status":"slow"}}'
} > "$1"
"#;

fn shell(script: &str, arguments: &[&str]) -> Child {
    let mut sh = Command::new("sh");
    sh.args(["-ec", script, "sh"]).args(arguments).env("LC_ALL", "C");
    sh.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

fn their_send(cage: &TestDir, who: &str, count: usize) -> Child {
    shell(THEIR_SEND, &[cage.folder(Mailbox::Outbox).to_str().unwrap(), who, &count.to_string()])
}

/// What their reader prints of the outbox, with the cursor of our own reader.
fn their_wait(cage: &TestDir, count: usize) -> Vec<String> {
    let cursor = cage.dir.cursors().join("outbox.cursor");
    let arguments = [cage.folder(Mailbox::Outbox), cursor].map(|path| path.to_str().unwrap().to_owned());
    let child = shell(THEIR_WAIT, &[&arguments[0], &arguments[1], &count.to_string()]);
    printed(&child.wait_with_output().unwrap())
}

fn our_poll(cage: &TestDir, arguments: &[&str]) -> Vec<String> {
    printed(&cage.run("cage-poll", &[&["--mailbox", "outbox"], arguments].concat()))
}

fn numbered(who: &str, numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    numbers.map(|number| format!("{who}-{number}")).collect()
}

#[test]
fn reads_every_message_of_their_sender_in_order() {
    let cage = TestDir::new();
    assert!(their_send(&cage, "theirs", 20).wait().unwrap().success());
    assert_eq!(our_poll(&cage, &["--all"]), numbered("theirs", 1..=20));
}

#[test]
fn their_reader_gets_every_message_of_ours_in_order() {
    let cage = TestDir::new();
    let reader = std::thread::scope(|scope| {
        let reader = scope.spawn(|| their_wait(&cage, 20));
        for status in numbered("ours", 1..=20) {
            assert!(cage.send(&status).status.success());
        }
        reader.join().unwrap()
    });
    assert_eq!(reader, numbered("ours", 1..=20));
}

#[test]
fn shares_a_cursor_with_their_reader_turn_by_turn() {
    let cage = TestDir::new();
    assert!(their_send(&cage, "a", 5).wait().unwrap().success());
    assert_eq!(our_poll(&cage, &["--timeout", "0"]), ["a-1"]);
    assert_eq!(their_wait(&cage, 2), ["a-2", "a-3"]);
    assert_eq!(our_poll(&cage, &["--timeout", "0"]), ["a-4"]);
    assert!(cage.send("ours").status.success());
    assert_eq!(their_wait(&cage, 1), ["a-5"]);
    assert_eq!(our_poll(&cage, &["--all"]), ["ours"]);
    assert!(our_poll(&cage, &["--all"]).is_empty());
}

#[test]
fn goes_on_behind_the_time_stamp_that_their_host_leaves() {
    let cage = TestDir::new();
    assert!(their_send(&cage, "a", 3).wait().unwrap().success());
    let second = cage.outbox()[1].timestamp.to_string();
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    fs::write(cage.dir.cursors().join("outbox.cursor"), second).unwrap();
    assert_eq!(our_poll(&cage, &["--all"]), ["a-3"]);
}

#[test]
fn follows_their_senders_and_ours_at_the_same_time() {
    let cage = TestDir::new();
    let follow = cage.arguments(&["--follow", "--mailbox", "outbox", "--heartbeat", "1"]);
    let mut follower =
        Command::new(program("cage-poll")).args(follow).stdout(Stdio::piped()).spawn().unwrap();
    let mut theirs = their_send(&cage, "theirs", 30);
    for status in numbered("ours", 1..=30) {
        assert!(cage.send(&status).status.success());
    }
    assert!(theirs.wait().unwrap().success());
    let (mut seen, mut quiet_beats) = (Vec::new(), 0);
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // What is lost never comes, but the beats of the follower do.
    while seen.len() < 60 && quiet_beats < 3 {
        let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        quiet_beats = if line["heartbeat"].is_string() { quiet_beats + 1 } else { 0 };
        seen.extend(line["message"]["payload"]["status"].as_str().map(str::to_owned));
    }
    follower.kill().unwrap();
    follower.wait().unwrap();
    let of = |who: &str| seen.iter().filter(|status| status.starts_with(who)).cloned().collect::<Vec<_>>();
    assert_eq!(of("ours"), numbered("ours", 1..=30));
    assert_eq!(of("theirs"), numbered("theirs", 1..=30));
}

#[test]
fn waits_for_a_writer_that_takes_its_time_and_keeps_the_order() {
    let cage = TestDir::new();
    let folder = cage.folder(Mailbox::Outbox);
    fs::create_dir_all(&folder).unwrap();
    let slow = folder.join("2026-01-01T00-00-00Z.json");
    let mut writer = shell(SLOW_WRITER, &[slow.to_str().unwrap()]);
    assert!(cage.send("behind").status.success());
    for expected in ["slow", "behind"] {
        assert_eq!(our_poll(&cage, &["--timeout", "20", "--schedule", "60:7200"]), [expected]);
    }
    assert!(writer.wait().unwrap().success());
}

/// Times that a foreign writer tries to be there at the right moment.
const TRIES: usize = 20;

#[test]
fn never_replaces_a_message_that_takes_its_name_at_the_last_moment() {
    let send = ["progress_update", "--status", "ours"];
    let program = program("cage-send");
    let renames = calls(&program, &TestDir::new().arguments(&send));
    let naming = renames.iter().find(|call| call.name == "renameat2").unwrap();
    let met = (0..TRIES).any(|_| {
        let cage = TestDir::new();
        std::thread::scope(|scope| {
            let sender =
                scope.spawn(|| delayed(naming, Duration::from_millis(300), &program, &cage.arguments(&send)));
            let hidden = cage.folder(Mailbox::Outbox).join(".next");
            let mut taken = None;
            while taken.is_none() && !sender.is_finished() {
                // The hidden file says which name it is about to get.
                let message = fs::read(&hidden).ok().and_then(|bytes| Envelope::parse(&bytes).ok());
                taken = message.map(|message| EntryName::at(message.timestamp.instant()));
            }
            let theirs = cage.folder(Mailbox::Outbox).join(taken.unwrap().as_str());
            let was_there_first = fs::File::create_new(&theirs).is_ok();
            assert!(sender.join().unwrap().status.success());
            if was_there_first {
                assert_eq!(fs::read(&theirs).unwrap(), b"", "a foreign file was replaced");
                fs::remove_file(theirs).unwrap();
            }
            assert_eq!(cage.statuses(), ["ours"]);
            was_there_first
        })
    });
    assert!(met, "the foreign writer came too late {TRIES} times");
}
