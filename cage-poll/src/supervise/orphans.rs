//! Processes that outlive their parents.
//!
//! An agent starts commands in process groups of their own, so ending its group does not end them. The supervisor has
//! orphans given to itself instead of to the container's first process: it reaps each one, and finds them all when it
//! is time to end them.

use std::fs;
use std::time::{Duration, Instant};

use cage_proto::agent::Session;
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{
    Pid, Signal, WaitOptions, getpid, kill_process, kill_process_group, set_child_subreaper, wait,
};

use super::agents::Ended;
use super::child;

/// How long killed processes may take to be gone. One that waits for a broken disk takes longer, and stays.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Time between two looks whether they are gone.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Has orphans given to this process from now on.
pub(super) fn adopt() {
    // Where the kernel does not do that, orphans go to the first process, as without us.
    let _ = set_child_subreaper(Some(getpid()));
}

/// Takes note of every child that has ended.
pub(super) fn reap() -> Vec<(Pid, Ended)> {
    let mut ended = Vec::new();
    while let Ok(Some((pid, status))) = retry_on_intr(|| wait(WaitOptions::NOHANG)) {
        let signal = status.terminating_signal().map(Ended::Signal);
        ended.extend(signal.or_else(|| status.exit_status().map(Ended::Code)).map(|ended| (pid, ended)));
    }
    ended
}

/// Ends every process that is left, and those that they leave behind in turn.
pub(super) fn end_all() {
    let begun = Instant::now();
    while begun.elapsed() < END_PATIENCE {
        for pid in children() {
            let _ = kill_process(pid, Signal::KILL);
        }
        reap();
        if matches!(wait(WaitOptions::NOHANG), Err(Errno::CHILD)) {
            return;
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// Lists the processes whose parent is this one.
fn children() -> Vec<Pid> {
    let us = getpid().as_raw_nonzero().get();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| child::parent(&stat) == Some(us))
    });
    ours.filter_map(Pid::from_raw).collect()
}

/// Ends the agent of an earlier supervisor that was killed. Returns whether there was one.
pub(super) fn end_agent_of(earlier: &Session) -> bool {
    let pid = earlier.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|pid| *pid != getpid()) else { return false };
    // Another process may have its number by now.
    if earlier.pid_start_ticks.is_none() || child::start_ticks(pid) != earlier.pid_start_ticks {
        return false;
    }
    kill_process_group(pid, Signal::KILL).is_ok()
}
