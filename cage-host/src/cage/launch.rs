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

/// Writes the task file `$1` from the prompt on standard input and the instructions for sending messages, and checks
/// that the agent `$2` is there.
const PREPARE_SCRIPT: &str = "set -e
umask 077
{ cat; printf '\\n\\n'; cage-poll instructions; } > \"$1.next\"
mv \"$1.next\" \"$1\"
command -v \"$2\" >/dev/null || { echo \"$2: not found\" >&2; exit 127; }";

/// Checks that Claude Code starts, and installs the hooks in the home `$3` where the image has no managed settings
/// with them: on the embedded backend, and in images of other people's.
const PREPARE_CLAUDE: &str = "
\"$2\" --version >/dev/null
grep -qs cage-poll /etc/claude-code/managed-settings.json && exit
mkdir -p \"$3/.claude\"
cage-poll hook settings --program \"$(command -v cage-poll)\" > \"$3/.claude/settings.json\"";

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

/// Everything before the launch, in one round trip.
async fn prepare(place: &Place, task: &Task) -> Result<()> {
    let claude = if *task.kind() == Agent::Claude { PREPARE_CLAUDE } else { "" };
    let script = format!("{PREPARE_SCRIPT}{claude}");
    let agent = task.agent_argv().into_iter().next().unwrap_or_default();
    let argv = ["sh", "-c", &script, "sh", &place.layout.task_file(), &agent, place.layout.home()];
    let prompt = task.prompt().to_owned().into_bytes();
    let exec = Exec::new(PREPARE, argv, PREPARE_DEADLINE).stdin(Stdin::Bytes(prompt.into()));
    place.exec(exec).await?.success().await
}
