//! What sending and waiting cost in a cage.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cage_host::CageSpec;
use cage_proto::mailbox::EntryName;
use cage_proto::message::{Envelope, ProgressUpdate};
use cage_tests::cage_dir::TestDir;
use cage_tests::places::program;
use chrono::DateTime;

use crate::measure::{Figure, Sides};
use crate::programs::{SENT, SENT_JSON};
use crate::results::{Results, Row};
use crate::shell::{docker, in_cage, run, script};
use crate::stage::{Stage, container};

pub(crate) const ROWS: &[&str] =
    &["send", "send_100k_kept", "burst_lost_of_2000", "poll_idle_rss", "poll_idle_wakeups_per_min"];

/// Messages in a mailbox that has been in use for long.
const KEPT: usize = 100_000;

/// Sends in one measurement, and measurements. The peer's send takes tens of milliseconds.
const SENDS: usize = 20;
const ROUNDS: usize = 15;

/// Senders at once, and what each sends.
const SENDERS: usize = 8;
const SENDS_EACH: usize = 250;

/// How long an idle reader is watched.
const IDLE: Duration = Duration::from_secs(60);

/// A moment before any benchmark, in microseconds.
const LONG_AGO: i64 = 1_700_000_000_000_000;

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    let sides = Containers::create(stage);
    results.add("send", &sides.sends());
    results.add("burst_lost_of_2000", &sides.burst());
    sides.keep(stage);
    results.add("send_100k_kept", &sides.sends());
    let (memory, wakeups) = idle(stage);
    results.add("poll_idle_rss", &memory);
    results.add("poll_idle_wakeups_per_min", &wakeups);
}

/// One container of each side.
struct Containers {
    ours: String,
    peer: Result<String, String>,
}

impl Containers {
    fn create(stage: &Stage) -> Self {
        stage.cage(CageSpec::empty("bench-send"));
        let ours = container("bench-send");
        run(docker(&["cp"]).arg(&stage.minimal).arg(format!("{ours}:/tmp/minimal"))).unwrap();
        script(&ours, "mkdir /tmp/floor").unwrap();
        Self { ours, peer: stage.peer_cage("bench-peer-send", &stage.tree("small", 1)) }
    }

    fn sends(&self) -> Row {
        let ours = SENT.join(" ");
        let [kind, payload] = SENT_JSON;
        Sides::ours(|| in_cage(&self.ours, &format!("cage-send {ours}"), SENDS))
            .peer(|| in_cage(self.peer.as_deref()?, &format!("cage-send {kind} '{payload}'"), SENDS))
            .floor(|| in_cage(&self.ours, "/tmp/minimal /tmp/floor name-$i '{\"status\":\"sent\"}'", SENDS))
            .alternate(ROUNDS, "ms")
    }

    /// Counts what is missing after many senders at once.
    fn burst(&self) -> Row {
        let [kind, payload] = SENT_JSON;
        Sides::ours(|| lost(&self.ours, &format!("cage-send {}", SENT.join(" "))))
            .peer(|| lost(self.peer.as_deref()?, &format!("cage-send {kind} '{payload}'")))
            .alternate(1, "messages")
    }

    /// Fills both mailboxes with what has long been read.
    fn keep(&self, stage: &Stage) {
        let folder = stage.temp.path().join("kept");
        write_kept(&folder, KEPT);
        let containers = [Ok(&self.ours), self.peer.as_ref()];
        for container in containers.into_iter().flatten() {
            let fill = format!(
                "tar -C {} -c . | docker exec -i -u trustycage {container} tar -C /home/trustycage/.cage/outbox -x",
                folder.display()
            );
            run(Command::new("sh").args(["-c", &fill])).unwrap();
        }
    }
}

fn lost(container: &str, send: &str) -> Figure {
    let count = "find ~/.cage/outbox -name '[!.]*.json' | wc -l";
    let text = format!(
        "before=$({count})
        for sender in $(seq {SENDERS}); do
            (i=0; while [ $i -lt {SENDS_EACH} ]; do {send} >/dev/null; i=$((i+1)); done) &
        done
        wait
        echo $(( before + {} - $({count}) ))",
        SENDERS * SENDS_EACH
    );
    script(container, &text)?.trim().parse().map_err(|_| "no number".to_owned())
}

/// Writes messages as an earlier time left them.
pub(crate) fn write_kept(folder: &Path, count: usize) {
    fs::create_dir_all(folder).unwrap();
    for seq in 1..=count {
        let instant = DateTime::from_timestamp_micros(LONG_AGO + i64::try_from(seq).unwrap()).unwrap();
        let message = Envelope {
            id: format!("kept-{seq}").parse().unwrap(),
            timestamp: instant.into(),
            payload: ProgressUpdate::new("kept").into(),
            seq: Some(seq as u64),
            extra: serde_json::Map::new(),
        };
        fs::write(folder.join(EntryName::at(instant).as_str()), message.to_file_bytes().unwrap()).unwrap();
    }
}

/// Watches a reader of each side while nothing happens.
fn idle(stage: &Stage) -> (Row, Row) {
    let cage = TestDir::new();
    let ours = Watched::start(Command::new(program("cage-poll")).args(cage.arguments(&[])));
    let peer = stage.peer.as_ref().map(|peer| {
        let home = stage.temp.path().join("idle");
        fs::create_dir_all(home.join(".cage/inbox")).unwrap();
        fs::create_dir_all(home.join(".cage/cursor")).unwrap();
        Watched::start(Command::new(peer.script("cage-wait")).env("HOME", home))
    });
    // Their first look is no idling.
    std::thread::sleep(Duration::from_secs(2));
    let watched = |side: &dyn Fn(&Watched) -> f64| {
        let peer = peer.as_ref().map_err(|why| (*why).clone());
        (side(&ours), peer.map(side))
    };
    let before = watched(&|side| side.status("voluntary_ctxt_switches"));
    std::thread::sleep(IDLE);
    let after = watched(&|side| side.status("voluntary_ctxt_switches"));
    let memory = watched(&|side| side.status("VmRSS"));
    let minutes = IDLE.as_secs_f64() / 60.0;
    let row = |(ours, peer): (f64, Result<f64, String>), unit| {
        Sides::ours(move || Ok(ours)).peer(move || peer.clone()).alternate(1, unit)
    };
    let wakeups =
        ((after.0 - before.0) / minutes, after.1.and_then(|after| Ok((after - before.1?) / minutes)));
    let memory =
        row(memory, "KiB").remark("the peer's shell alone, without the `sleep` and `ls` that it starts");
    let wakeups =
        row(wakeups, "a minute").remark("the peer's shell alone; each of its looks starts two programs more");
    (memory, wakeups)
}

/// A program that waits, ended when this goes away.
struct Watched(Child);

impl Watched {
    fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap())
    }

    /// Reads a number of `/proc/PID/status`.
    fn status(&self, field: &str) -> f64 {
        read_status(self.0.id(), field)
    }
}

/// Reads a number of `/proc/PID/status`.
pub(crate) fn read_status(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
