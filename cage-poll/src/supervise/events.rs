//! The threads that bring signals, inbox changes and the agent's output, one event at a time.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cage_proto::mailbox::{Wake, Watch};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::child::Output;
use super::log::Log;

/// Events that may wait to be looked at. An agent that prints faster is slowed down.
pub(super) const EVENTS_MAX: usize = 1_024;

/// Bytes of a line that is looked at. A longer one is only logged.
const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long one wait for inbox changes lasts; it says nothing about how often anyone looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(600);

/// Something that happened outside.
#[derive(Debug)]
pub(super) enum Event {
    /// The agent printed a line in this turn.
    Line(u64, Vec<u8>),
    /// Everything that the agent printed in this turn has been read.
    Quiet(u64),
    /// Something appeared in the inbox.
    InboxChanged,
    /// A child has ended.
    ChildEnded,
    /// Someone wants the supervisor to end.
    Terminate,
}

/// Brings signals.
pub(super) fn watch_signals(events: SyncSender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCHLD])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let event = if signal == SIGCHLD { Event::ChildEnded } else { Event::Terminate };
            if events.send(event).is_err() {
                return;
            }
        }
    });
    Ok(())
}

/// Brings changes of the inbox.
pub(super) fn watch_inbox(inbox: &Path, events: SyncSender<Event>) {
    // Before this returns, so that nothing falls between it and the first look.
    let watch = Watch::new(inbox);
    thread::spawn(move || {
        loop {
            let wake = watch.wait(WATCH_INTERVAL, None);
            if wake != Wake::TimedOut && events.send(Event::InboxChanged).is_err() {
                return;
            }
        }
    });
}

/// Writes what an agent prints to the log, and brings the lines of its stdout.
pub(super) fn watch_output(turn: u64, output: Output, log: &Arc<Mutex<Log>>, events: SyncSender<Event>) {
    let Output { stdout, mut stderr } = output;
    let stdout_log = Arc::clone(log);
    thread::spawn(move || {
        read_lines(stdout, &stdout_log, |line| events.send(Event::Line(turn, line)).is_ok());
        // Nobody listens any more when the supervisor ends.
        let _ = events.send(Event::Quiet(turn));
    });
    let stderr_log = Arc::clone(log);
    thread::spawn(move || {
        let log_chunk = |bytes: &[u8]| keep(lock(&stderr_log).stderr(bytes));
        while matches!(read_chunk(&mut stderr, log_chunk), Ok(1..)) {}
    });
}

/// Reads to the end, and hands on each line for as long as somebody takes it.
fn read_lines(mut input: impl Read, log: &Mutex<Log>, mut take: impl FnMut(Vec<u8>) -> bool) {
    let mut line = Vec::new();
    let mut too_long = false;
    loop {
        let mut taken = true;
        let read = read_chunk(&mut input, |bytes| {
            keep(lock(log).stdout(bytes));
            for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                too_long |= line.len() + part.len() > LINE_BYTES_MAX;
                if !too_long {
                    line.extend_from_slice(part);
                }
                if part.ends_with(b"\n") {
                    let whole = std::mem::take(&mut line);
                    taken &= std::mem::take(&mut too_long) || take(whole);
                }
            }
        });
        match read {
            Ok(1..) if taken => {}
            _ => break,
        }
    }
    if !line.is_empty() {
        take(line);
    }
}

/// Reads once and shows what came. Returns how much it was; nothing at the end.
fn read_chunk(input: &mut impl Read, show: impl FnOnce(&[u8])) -> io::Result<usize> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let read = loop {
        match input.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            read => break read?,
        }
    };
    if read > 0 {
        show(&buffer[..read]);
    }
    Ok(read)
}

/// The log, whole in any case: a thread that panics while it writes leaves a part of a line at worst.
pub(super) fn lock(log: &Mutex<Log>) -> std::sync::MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Goes on without a log that cannot be written: the disk is full, and the agent's work matters more.
fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        crate::output::complain(&format!("could not write the log: {error}"));
    }
}
