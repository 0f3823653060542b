//! Ending what an embedded cage left running.
//!
//! A container's processes end with it. Here they are found by their environment: every program of a cage inherits
//! its `CAGE_DIR`, also the ones that moved to another process group.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use tokio::task::spawn_blocking;

use crate::error::{IoContext as _, Result};

/// How often the list is gone through: a process can start another between being seen and being ended.
const ROUNDS: u32 = 10;

/// Kills every process whose environment has this `CAGE_DIR`.
pub(super) async fn end_all(cage_dir: &str) -> Result<()> {
    let mark = format!("CAGE_DIR={cage_dir}").into_bytes();
    let ended = spawn_blocking(move || {
        for _ in 0..ROUNDS {
            if kill_marked(&mark)? == 0 {
                break;
            }
        }
        Ok(())
    });
    ended
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)))
        .context("list the processes in", Path::new("/proc"))
}

fn kill_marked(mark: &[u8]) -> std::io::Result<usize> {
    let mut killed = 0;
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        // Unreadable means another user's process, or one that has just ended.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|&byte| byte == 0).any(|variable| variable == mark) {
            killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
    }
    Ok(killed)
}
