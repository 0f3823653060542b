//! One program that follows a hundred cages.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cage_host::{CageSpec, Host};
use tokio::runtime::Builder;

use crate::mailbox::read_status;
use crate::measure::Sides;
use crate::results::{Results, Row};
use crate::stage::Stage;

pub(crate) const ROWS: &[&str] = &["follow_100_cages_rss", "follow_100_cages_cpu"];

/// The command by which this program becomes the one that is measured.
pub(crate) const FOLLOW: &str = "follow-all";

const CAGES: usize = 100;

/// Polls of the peer that stand for a hundred: each is a Python process of its own.
const PEER_POLLS: usize = 5;

const IDLE: Duration = Duration::from_secs(60);

/// What a tick of `/proc/PID/stat` is, in seconds.
const TICK: f64 = 0.01;

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    for number in 0..CAGES {
        stage.cage(CageSpec::empty(format!("bench-fleet-{number}")).memory_bytes(64 << 20).cpus(0.1));
    }
    let (ours, peers) = (Follower::start("bench-fleet-"), peer_polls(stage));
    let before = (ours.cpu(), peers.as_ref().map(|polls| sum(polls, Follower::cpu)));
    std::thread::sleep(IDLE);
    let spent = |now: f64, before: f64| (now - before) / IDLE.as_secs_f64() * 100.0;
    let scale = CAGES as f64 / PEER_POLLS as f64;
    let cpu = (
        spent(ours.cpu(), before.0),
        peers
            .as_ref()
            .ok()
            .zip(before.1.ok())
            .map(|(polls, before)| spent(sum(polls, Follower::cpu), before) * scale),
    );
    let memory = (ours.memory(), peers.as_ref().ok().map(|polls| sum(polls, Follower::memory) * scale));
    results.add("follow_100_cages_rss", &row(memory, "MiB"));
    results.add("follow_100_cages_cpu", &row(cpu, "% of a core"));
}

fn row((ours, peer): (f64, Option<f64>), unit: &'static str) -> Row {
    let peer = move || peer.ok_or_else(|| "not there".to_owned());
    let row = Sides::ours(move || Ok(ours)).peer(peer).alternate(1, unit);
    row.remark(format_args!("the peer's is {PEER_POLLS} of its processes, scaled to {CAGES}"))
}

fn sum(polls: &[Follower], figure: fn(&Follower) -> f64) -> f64 {
    polls.iter().map(figure).sum()
}

fn peer_polls(stage: &Stage) -> Result<Vec<Follower>, String> {
    let peer = stage.peer.as_ref().map_err(Clone::clone)?;
    let dir = stage.tree("fleet", 1);
    let polls = (0..PEER_POLLS).map(|number| {
        let name = format!("bench-peer-fleet-{number}");
        stage.peer_cage(&name, &dir)?;
        let mut poll = peer.tc(&["outbox", &name, "--poll"]);
        poll.stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(Follower)
            .map_err(|error| error.to_string())
    });
    polls.collect()
}

/// Follows every cage whose name begins so, until it is killed: this program as [`measure`] starts it.
pub(crate) fn follow(prefix: &str) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let host = Host::connect().await.unwrap();
        let mut followers = tokio::task::JoinSet::new();
        for summary in host.list().await.unwrap() {
            if summary.name.as_str().starts_with(prefix) {
                let mut follower =
                    host.cage(summary.name.as_str()).await.unwrap().outbox().follow().await.unwrap();
                followers.spawn(async move { while follower.next().await.is_some() {} });
            }
        }
        println!("following {}", followers.len());
        followers.join_all().await;
    });
}

/// A program that follows, ended when this goes away.
struct Follower(Child);

impl Follower {
    /// Starts this program again and waits until it follows every cage.
    fn start(prefix: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.args([FOLLOW, prefix]).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut String::new()).unwrap();
        Self(child)
    }

    fn memory(&self) -> f64 {
        read_status(self.0.id(), "VmRSS") / 1024.0
    }

    /// Returns the seconds of processor time that it has used.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // The 14th and 15th of all, which begin before the name in brackets.
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        ticks * TICK
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
