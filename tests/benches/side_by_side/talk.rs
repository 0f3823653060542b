//! What it costs to talk with an agent through Docker, and how long a message is on its way.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cage_host::message::{Ack, Payload};
use cage_host::{Cage, CageSpec, Follower, Select};
use cage_proto::mailbox::EntryName;
use chrono::Utc;

use crate::mailbox::write_kept;
use crate::measure::{Figure, Sides, milliseconds, percentile, seconds};
use crate::programs::SENT;
use crate::results::{Results, Row};
use crate::shell::{docker, exec, run, script};
use crate::stage::{Stage, container};

pub(crate) const ROWS: &[&str] =
    &["follow_latency_p50", "follow_latency_p99", "inbox_send", "inbox_to_agent_p50", "read_100", "read_10k"];

/// Messages whose way is timed.
const DELIVERIES: usize = 200;

/// The peer looks every 30 s, so each of its deliveries takes a quarter of a minute.
const PEER_DELIVERIES: u32 = 4;
const PEER_INTERVAL: Duration = Duration::from_secs(30);

const ROUNDS: usize = 5;

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    let cage = stage.cage(CageSpec::empty("bench-talk"));
    let peer = stage.peer_cage("bench-peer-talk", &stage.tree("talk", 1));
    let sides = Talk { stage, cage, ours: container("bench-talk"), peer };
    let (median, high) = sides.latency();
    results.add("follow_latency_p50", &median);
    results.add("follow_latency_p99", &high);
    results.add("inbox_send", &sides.inbox());
    results.add("inbox_to_agent_p50", &sides.inbox_to_agent());
    results.add("read_100", &sides.read(100, ROUNDS, true));
    results.add("read_10k", &sides.read(10_000, 3, false));
}

struct Talk<'a> {
    stage: &'a Stage,
    cage: Cage,
    ours: String,
    peer: Result<String, String>,
}

impl Talk<'_> {
    /// From the moment in a message's own time stamp until whoever runs the cage has it.
    fn latency(&self) -> (Row, Row) {
        let mut follower = self.block_on(self.cage.outbox().consumer("latency").follow()).unwrap();
        let mut delivered = || {
            // Its end comes some time after the message, and is not waited for.
            let mut sender = exec(&self.ours, &[&["cage-send"], &SENT[..]].concat());
            let mut sender =
                Ended(sender.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map_err(|e| e.to_string())?);
            let on_its_way = self.next_delivery(&mut follower)?;
            sender.0.wait().map_err(|error| error.to_string())?;
            Figure::Ok(milliseconds(on_its_way))
        };
        // The first one comes when the follower is connected.
        delivered().unwrap();
        let ours: Vec<f64> = (0..DELIVERIES).map(|_| delivered().unwrap()).collect();
        let peer: Result<Vec<f64>, String> = (0..PEER_DELIVERIES)
            .map(|number| self.peer_delivery(PEER_INTERVAL * number / PEER_DELIVERIES))
            .collect();
        let floor = self.echoes();
        let row = |percent: usize| {
            let of =
                |figures: &Vec<f64>| percentile(figures.clone(), percent).ok_or_else(|| "nothing".to_owned());
            Sides::ours(|| of(&ours))
                .peer(|| of(peer.as_ref().map_err(Clone::clone)?))
                .floor(|| of(&floor))
                .alternate(1, "ms")
                .remark(format_args!(
                    "{DELIVERIES} deliveries, the peer's {PEER_DELIVERIES}, spread over its interval of 30 s"
                ))
        };
        let (mut median, mut high) = (row(50), row(99));
        (median.runs, high.runs) = (DELIVERIES, DELIVERIES);
        (median, high)
    }

    /// Takes the next message, and says how long ago it was sent when it came.
    fn next_delivery(&self, follower: &mut Follower) -> Result<Duration, String> {
        let delivery =
            self.block_on(follower.next()).ok_or("the follower ended")?.map_err(|e| e.to_string())?;
        let came = Utc::now();
        let name: EntryName = delivery.name().parse().map_err(|_| "no message".to_owned())?;
        self.block_on(delivery.ack()).map_err(|error| error.to_string())?;
        Ok((came - name.instant()).to_std().unwrap_or_default())
    }

    /// Starts the peer's poll, sends after `pause`, and says how long the message took.
    fn peer_delivery(&self, pause: Duration) -> Figure {
        let container = self.peer.as_deref()?;
        let peer = self.stage.peer.as_ref().map_err(Clone::clone)?;
        let mut poll = peer.tc(&["outbox", "bench-peer-talk", "--poll"]);
        let mut poll =
            Ended(poll.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|e| e.to_string())?);
        thread::sleep(pause + Duration::from_secs(3));
        let payload = r#"{"summary":"done","exit_code":0}"#;
        run(&mut exec(container, &["cage-send", "task_complete", payload]))?;
        let begun = Instant::now();
        poll.0.wait().map_err(|error| error.to_string())?;
        Ok(milliseconds(begun.elapsed()))
    }

    /// Times a line on its way there and back through one exec.
    fn echoes(&self) -> Vec<f64> {
        let mut cat =
            Ended(exec(&self.ours, &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
        let mut input = cat.0.stdin.take().unwrap();
        let mut output = BufReader::new(cat.0.stdout.take().unwrap());
        let mut echo = || {
            let begun = Instant::now();
            writeln!(input, "echo").unwrap();
            output.read_line(&mut String::new()).unwrap();
            milliseconds(begun.elapsed())
        };
        echo();
        (0..DELIVERIES).map(|_| echo()).collect()
    }

    fn inbox(&self) -> Row {
        let ours = || seconds(|| self.send()).map(|seconds| seconds * 1e3);
        let peer = || seconds(|| self.peer_send()).map(|seconds| seconds * 1e3);
        let floor =
            || seconds(|| run(&mut docker(&["exec", &self.ours, "true"]))).map(|seconds| seconds * 1e3);
        Sides::ours(ours).peer(peer).floor(floor).alternate(15, "ms")
    }

    fn send(&self) -> Result<(), String> {
        let payload = Payload::from(Ack::new("bench"));
        self.block_on(self.cage.inbox().send(payload)).map(drop).map_err(|error| error.to_string())
    }

    fn peer_send(&self) -> Result<(), String> {
        let peer = self.stage.peer.as_ref().map_err(Clone::clone)?;
        run(&mut peer.tc(&["inbox", "bench-peer-talk", "ack", r#"{"acked_id":"bench"}"#])).map(drop)
    }

    /// From the end of sending until a waiting agent has the message.
    fn inbox_to_agent(&self) -> Row {
        Sides::ours(|| {
            script(&self.ours, "cage-poll --all >/dev/null")?;
            until_taken(&self.ours, "cage-poll", || self.send())
        })
        .peer(|| {
            let container = self.peer.as_deref()?;
            script(container, "ls ~/.cage/inbox | tail -n 1 > ~/.cage/cursor/inbox.cursor")?;
            until_taken(container, "cage-wait", || self.peer_send())
        })
        .alternate(5, "ms")
        .remark("from before the send; the peer's agent looks every 10 s")
    }

    /// Reads an outbox with so many messages from its beginning.
    fn read(&self, count: usize, rounds: usize, peer_too: bool) -> Row {
        let folder = self.stage.temp.path().join(format!("read{count}"));
        write_kept(&folder, count);
        for container in [Ok(&self.ours), self.peer.as_ref()].into_iter().flatten() {
            let fill = format!(
                "tar -C {} -c . | docker exec -i -u trustycage {container} sh -c \
                 'find ~/.cage/outbox -type f -delete; tar -C ~/.cage/outbox -x'",
                folder.display()
            );
            run(Command::new("sh").args(["-c", &fill])).unwrap();
        }
        let ours = || {
            let listed =
                self.block_on(self.cage.outbox().list(Select::all())).map_err(|error| error.to_string())?;
            if listed.messages().count() == count { Ok(()) } else { Err(format!("not {count} messages")) }
        };
        let mut sides = Sides::ours(|| seconds(ours))
            .floor(|| seconds(|| script(&self.ours, "tar -C ~/.cage/outbox -c .").map(drop)));
        if peer_too {
            sides = sides.peer(|| {
                let peer = self.stage.peer.as_ref().map_err(Clone::clone)?;
                seconds(|| run(&mut peer.tc(&["outbox", "bench-peer-talk", "--all", "--json"])))
            });
        }
        let row = sides.alternate(rounds, "s");
        if peer_too {
            row
        } else {
            row.remark("the peer starts a process for each message: a quarter of an hour")
        }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.stage.runtime.block_on(future)
    }
}

/// Starts a waiting reader, sends once it waits, and times until it has printed the message.
fn until_taken(container: &str, reader: &str, send: impl FnOnce() -> Result<(), String>) -> Figure {
    let mut waiting = exec(container, &[reader, "--timeout", "120"]);
    let waiting = waiting.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut waiting = Ended(waiting.spawn().map_err(|error| error.to_string())?);
    let mut notices = BufReader::new(waiting.0.stderr.take().ok_or("no stderr")?);
    notices.read_line(&mut String::new()).map_err(|error| error.to_string())?;
    let mut output = BufReader::new(waiting.0.stdout.take().ok_or("no stdout")?);
    let begun = Instant::now();
    send()?;
    output.read_line(&mut String::new()).map_err(|error| error.to_string())?;
    Ok(milliseconds(begun.elapsed()))
}

/// A program that is ended when this goes away.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
