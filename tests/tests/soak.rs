//! Killed at random moments, again and again, under eight senders and three consumers.
//!
//! A killed sender repeats its message with the same id until it is acknowledged, and a killed consumer begins again.
//! Two hundred kills in CI, ten thousand with `CAGE_SOAK=1`.

#![expect(clippy::unwrap_used, reason = "a helper that fails here fails its test, with a line number")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use cage_proto::mailbox::Mailbox;
use cage_proto::message::Envelope;
use cage_tests::cage_dir::{TestDir, status};
use cage_tests::places::program;
use cage_tests::skip::soak;

const SENDERS: usize = 8;

const CONSUMERS: [&str; 3] = ["one", "two", "three"];

const KILLS: usize = 200;

const KILLS_IN_A_SOAK: usize = 10_000;

/// Within this time a program is killed, if it is: most runs take about half of it.
const MICROSECONDS_MAX: u64 = 20_000;

/// Below the time after which a stuck lock is given up, and far above what any run takes.
const SOON: Duration = Duration::from_secs(25);

/// Messages that stay in the mailbox when what everybody has seen is removed.
const KEPT: u64 = 50;

/// Random numbers that a seed repeats (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// What all actors share.
struct Stage {
    cage: TestDir,
    kills: AtomicUsize,
    target: usize,
    /// The statuses whose senders were told that they are stored.
    acknowledged: Mutex<BTreeSet<String>>,
    /// Whether all senders are done.
    sent: AtomicBool,
    /// The number up to which each consumer has consumed.
    consumed: [AtomicU64; CONSUMERS.len()],
}

impl Stage {
    fn is_over(&self) -> bool {
        self.kills.load(Ordering::Relaxed) >= self.target
    }

    /// Runs a program, kills it at a random moment every other time, and returns what it printed until then.
    fn run(&self, name: &str, arguments: &[&str], dice: &mut Dice) -> Output {
        let mut command = Command::new(program(name));
        command.args(self.cage.arguments(arguments)).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        if dice.roll(2) == 0 && !self.is_over() {
            // No wait for anything: the moment is the point.
            thread::park_timeout(Duration::from_micros(dice.roll(MICROSECONDS_MAX)));
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < SOON, "stuck: {name} {arguments:?}: {output:?}");
        if output.status.signal().is_some() {
            self.kills.fetch_add(1, Ordering::Relaxed);
        } else {
            assert!(output.status.success(), "{name} {arguments:?}: {output:?}");
        }
        output
    }

    /// Sends messages until there were enough kills, each of them until it is acknowledged.
    fn send(&self, sender: usize, mut dice: Dice) {
        for index in 0_u64.. {
            if self.is_over() {
                return;
            }
            let text = format!("{sender}-{index}");
            let arguments = ["progress_update", "--status", &text, "--id", &text];
            while !self.run("cage-send", &arguments, &mut dice).status.success() {}
            self.acknowledged.lock().unwrap().insert(text);
        }
    }

    /// Reads until everything was read after the last send.
    fn consume(&self, consumer: usize, mut dice: Dice) {
        let arguments = ["--mailbox", "outbox", "--consumer", CONSUMERS[consumer], "--all"];
        let mut last = 0;
        let mut in_flight = false;
        loop {
            let sent = self.sent.load(Ordering::SeqCst);
            let output = self.run("cage-poll", &arguments, &mut dice);
            let numbers = numbers(&output);
            if let Some(first) = numbers.first() {
                assert!(*first == last + 1 || (in_flight && *first == last), "{first} came after {last}");
                assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "out of order: {numbers:?}");
            }
            last = numbers.last().copied().unwrap_or(last);
            in_flight = output.status.signal().is_some();
            // Its last message may be in flight still.
            self.consumed[consumer].store(last.saturating_sub(u64::from(in_flight)), Ordering::SeqCst);
            if sent && output.status.success() && numbers.is_empty() {
                return;
            }
        }
    }

    /// Removes what everybody has consumed and whose sender knows it, but for the last few.
    fn prune(&self) {
        while !self.sent.load(Ordering::SeqCst) {
            let consumed = self.consumed.iter().map(|consumed| consumed.load(Ordering::SeqCst)).min();
            let acknowledged = self.acknowledged.lock().unwrap().clone();
            for entry in fs::read_dir(self.cage.folder(Mailbox::Outbox)).into_iter().flatten().flatten() {
                let hidden = entry.file_name().to_string_lossy().starts_with('.');
                let message = if hidden { None } else { fs::read(entry.path()).ok() };
                let Some(message) = message.map(|bytes| Envelope::parse(&bytes).unwrap()) else { continue };
                if message.seq.map(|seq| seq + KEPT) < consumed && acknowledged.contains(&status(&message)) {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
            thread::park_timeout(Duration::from_millis(200));
        }
    }
}

/// The numbers of the messages that were printed whole.
fn numbers(output: &Output) -> Vec<u64> {
    let lines = output.stdout.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    lines.map(|line| Envelope::parse(line).unwrap().seq.unwrap()).collect()
}

#[test]
fn nothing_is_lost_repeated_or_stuck_when_programs_are_killed_at_random() {
    let stage = Stage {
        cage: TestDir::new(),
        kills: AtomicUsize::new(0),
        target: if soak() { KILLS_IN_A_SOAK } else { KILLS },
        acknowledged: Mutex::default(),
        sent: AtomicBool::new(false),
        consumed: Default::default(),
    };
    // So that the consumers find a folder, however early they are killed.
    fs::create_dir_all(stage.cage.folder(Mailbox::Outbox)).unwrap();
    thread::scope(|scope| {
        let stage = &stage;
        let senders: Vec<_> =
            (0..SENDERS).map(|sender| scope.spawn(move || stage.send(sender, Dice(sender as u64)))).collect();
        let consumers: Vec<_> = (0..CONSUMERS.len())
            .map(|consumer| scope.spawn(move || stage.consume(consumer, Dice(100 + consumer as u64))))
            .collect();
        let pruner = scope.spawn(|| stage.prune());
        let sent: Vec<_> = senders.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stage.sent.store(true, Ordering::SeqCst);
        pruner.thread().unpark();
        sent.into_iter()
            .chain(consumers.into_iter().map(thread::ScopedJoinHandle::join))
            .for_each(Result::unwrap);
    });
    let acknowledged = stage.acknowledged.lock().unwrap().len() as u64;
    for consumed in &stage.consumed {
        assert_eq!(
            consumed.load(Ordering::SeqCst),
            acknowledged,
            "each message is stored once and delivered"
        );
    }
    assert_eq!(stage.cage.leftovers(), [""; 0]);
    println!("{} kills, {acknowledged} messages", stage.kills.load(Ordering::Relaxed));
}
