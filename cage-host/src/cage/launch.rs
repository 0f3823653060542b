//! Starting an agent on a task.

use std::time::Duration;

use super::place::Place;
use super::task::{Agent, Task};
use crate::backend::{Exec, Stdin};
use crate::error::Result;

const PREPARE: &str = "prepare the agent's task";
const LAUNCH: &str = "launch the agent";

/// Longest time for the checks before a launch; the first start of Claude Code in a container reads 235 MB.
const PREPARE_DEADLINE: Duration = Duration::from_secs(120);

/// Writes the task file from the prompt on standard input and the instructions for sending messages, and checks that
/// the agent is there, in one round trip. `$1` is the file; the rest is the check.
const PREPARE_SCRIPT: &str = "set -e
task=$1; shift
umask 077
{ cat; printf '\\n\\n'; cage-poll instructions; } > \"$task.next\"
mv \"$task.next\" \"$task\"
command -v \"$1\" >/dev/null || { echo \"$1: not found\" >&2; exit 127; }
[ \"$#\" -eq 1 ] || \"$@\" >/dev/null";

/// Starts an agent under `cage-poll supervise`, which outlives this connection.
pub(super) async fn launch(place: &Place, task: &Task) -> Result<()> {
    task.check()?;
    prepare(place, task).await?;
    let task_file = place.layout.task_file();
    let mut argv = ["cage-poll", "supervise", "--task-file", &task_file].map(str::to_owned).to_vec();
    if let Some(limit) = task.patience() {
        argv.extend(["--timeout".to_owned(), limit.as_secs().to_string()]);
    }
    argv.push("--".to_owned());
    argv.extend(task.agent_argv());
    let exec = Exec::new(LAUNCH, argv, PREPARE_DEADLINE)
        .env(task.environment().to_vec())
        .cwd(place.layout.project());
    place.exec_detached(exec).await
}

async fn prepare(place: &Place, task: &Task) -> Result<()> {
    let task_file = place.layout.task_file();
    let mut argv = ["sh", "-c", PREPARE_SCRIPT, "sh", &task_file].map(str::to_owned).to_vec();
    argv.extend(task.agent_argv().into_iter().take(1));
    if *task.kind() == Agent::Claude {
        argv.push("--version".to_owned());
    }
    let prompt = task.prompt().to_owned().into_bytes();
    let exec = Exec::new(PREPARE, argv, PREPARE_DEADLINE).stdin(Stdin::Bytes(prompt.into()));
    place.exec(exec).await?.success().await
}
