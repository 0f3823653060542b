//! What the mailbox costs: `cargo bench -p cage-tests --bench mailbox`.
//!
//! The programs under test are the static ones (`CAGE_BIN_DIR`, else `dist`), the folder is one below `TMPDIR`. What is
//! compared is measured in one run, in turns, so that whatever else the machine does falls on both.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure has nothing to report")]

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use cage_proto::mailbox::{EntryName, Mailbox};
use cage_proto::message::{Envelope, ProgressUpdate};
use cage_tests::cage_dir::TestDir;
use cage_tests::places::program;
use chrono::{DateTime, Utc};
use tempfile::TempDir;

/// Files that are kept in the mailbox: none, and as many as a reader begins to complain about.
const KEPT: [i64; 2] = [0, 100_000];

/// Sends of each kind.
const ROUNDS: usize = 500;

/// How long an idle reader is watched.
const IDLE: Duration = Duration::from_secs(60);

/// A moment before any benchmark, in microseconds.
const LONG_AGO: i64 = 1_700_000_000_000_000;

fn main() {
    let temp = tempfile::tempdir().unwrap();
    let minimal = build_minimal(temp.path());
    for name in ["cage-send", "cage-poll"] {
        println!("{name}: {} bytes", fs::metadata(program(name)).unwrap().len());
    }
    for kept in KEPT {
        println!("with {kept} kept files");
        let (_folder, cage) = filled(kept);
        sends(&cage, &minimal);
        deliveries(&cage);
        idle(&cage);
    }
}

/// Compiles the minimal program with the settings of the static ones.
fn build_minimal(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/mailbox/minimal.rs");
    let program = folder.join("minimal");
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let settings = ["opt-level=s", "lto", "codegen-units=1", "panic=abort", "strip=symbols"];
    let settings = settings.iter().chain(["target-feature=+crt-static", "relocation-model=static"].iter());
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "--target", &target]).args(settings.flat_map(|set| ["-C", *set]));
    assert!(rustc.arg("-o").arg(&program).arg(source).status().unwrap().success());
    program
}

/// Makes a mailbox in which so many messages are kept, and one more that was sent.
fn filled(kept: i64) -> (TempDir, TestDir) {
    let temp = tempfile::tempdir().unwrap();
    let cage = TestDir::at(temp.path());
    let folder = cage.folder(Mailbox::Outbox);
    fs::create_dir_all(&folder).unwrap();
    for seq in 1..=kept {
        let instant = DateTime::from_timestamp_micros(LONG_AGO + seq).unwrap();
        let message = Envelope {
            id: "kept".parse().unwrap(),
            timestamp: instant.into(),
            payload: ProgressUpdate::new("kept").into(),
            seq: seq.try_into().ok(),
            extra: serde_json::Map::new(),
        };
        fs::write(folder.join(EntryName::at(instant).as_str()), message.to_file_bytes().unwrap()).unwrap();
    }
    assert!(cage.send("first").status.success());
    (temp, cage)
}

/// Runs a program and says how long it took, its start included.
fn time(command: &mut Command) -> Duration {
    let begun = Instant::now();
    let status = command.stdout(Stdio::null()).status().unwrap();
    let elapsed = begun.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    elapsed
}

fn sends(cage: &TestDir, minimal: &Path) {
    let text = fs::read_to_string(cage.folder(Mailbox::Outbox).join(newest(cage))).unwrap();
    let beside = cage.dir.path().join("minimal");
    fs::create_dir_all(&beside).unwrap();
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let arguments = cage.arguments(&["progress_update", "--status", "sent"]);
        ours.push(time(Command::new(program("cage-send")).args(arguments)));
        least.push(time(Command::new(minimal).arg(&beside).arg(round.to_string()).arg(&text)));
    }
    let (ours, least) = (Spread::of(ours), Spread::of(least));
    println!("  cage-send            {ours}");
    println!("  the minimal program  {least}");
    println!("  ratio of the medians {:.2}", ours.median.as_secs_f64() / least.median.as_secs_f64());
}

/// From the moment in a message's name, which is before its file is synced, until its line is there.
fn deliveries(cage: &TestDir) {
    let mut follow = Reader::start(cage, &["--follow", "--since", &newest(cage)]);
    let lines = BufReader::new(follow.0.stdout.take().unwrap()).lines();
    let (arrived, arrivals) = mpsc::channel();
    thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let name: Option<EntryName> = line["name"].as_str().map(|name| name.parse().unwrap());
            let delay = name.and_then(|name| (Utc::now() - name.instant()).to_std().ok());
            // Nobody waits for the last heartbeat.
            let _ = delay.map(|delay| arrived.send(delay));
        }
    });
    let delivered = || {
        assert!(cage.send("sent").status.success());
        arrivals.recv().unwrap()
    };
    // The first one comes when the follower has listed the folder.
    delivered();
    println!("  --follow delivers    {}", Spread::of((0..ROUNDS).map(|_| delivered()).collect()));
}

/// How much memory a waiting reader holds, and how often it gives up the processor: to wait, or for the disk meanwhile.
fn idle(cage: &TestDir) {
    fs::create_dir_all(cage.dir.cursors()).unwrap();
    fs::write(cage.dir.cursors().join("idle.cursor"), newest(cage)).unwrap();
    let reader = Reader::start(cage, &["--consumer", "idle"]);
    // Its first look is no idling.
    while !reader.is_asleep() {
        thread::yield_now();
    }
    let before = reader.status("voluntary_ctxt_switches");
    thread::sleep(IDLE);
    let switches = reader.status("voluntary_ctxt_switches") - before;
    let (memory, most) = (reader.status("VmRSS"), reader.status("VmHWM"));
    println!("  an idle cage-poll    {memory} KiB, {most} KiB at the most, {switches} switches in {IDLE:?}");
}

/// Returns the highest name in the outbox.
fn newest(cage: &TestDir) -> String {
    let names = fs::read_dir(cage.folder(Mailbox::Outbox)).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.into_string().ok()).filter(|name| !name.starts_with('.')).max().unwrap()
}

/// A `cage-poll` at the outbox that runs until it is dropped.
struct Reader(Child);

impl Reader {
    fn start(cage: &TestDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(program("cage-poll"));
        command.args(cage.arguments(&[arguments, &["--mailbox", "outbox"]].concat()));
        Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Reads a number of `/proc/PID/status`.
    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
        value.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Tells whether it waits in `poll`, by the kernel's function of that name.
    fn is_asleep(&self) -> bool {
        let function = fs::read_to_string(format!("/proc/{}/wchan", self.0.id()));
        function.is_ok_and(|function| function.contains("poll"))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where most of many durations lie.
struct Spread {
    median: Duration,
    /// Above which one in a hundred lies.
    high: Duration,
}

impl Spread {
    fn of(mut durations: Vec<Duration>) -> Self {
        durations.sort();
        let at = |percent: usize| durations[durations.len() * percent / 100];
        Self { median: at(50), high: at(99) }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:.2?}, p99 {:.2?}", self.median, self.high)
    }
}
