//! Starting an agent on a task, in the background or in the foreground.

use std::time::Duration;

use super::agent::Agent;
use super::agent_run::AgentRun;
use super::credential;
use super::place::Place;
use super::task::{Task, Words};
use crate::backend::{Exec, Exit, Stdin};
use crate::error::{CageError, Error, RequestError, Result};
use crate::mailbox::Inbox;
use crate::sanitize::sanitize;

const PREPARE: &str = "prepare the agent's task";
const LAUNCH: &str = "launch the agent";

/// Longest time for the checks before a launch; the first start of Claude Code in a container reads 235 MB.
const PREPARE_DEADLINE: Duration = Duration::from_secs(180);

/// Longest time until the agent's runtime has written down that it is at work.
const LAUNCH_DEADLINE: Duration = Duration::from_secs(60);

/// Exit codes of [`PREPARE_SCRIPT`]; no program that it runs has them.
const AGENT_BROKEN: i64 = 91;
const HOOKS_BROKEN: i64 = 92;
const NOTHING_TO_RESUME: i64 = 93;
const ALREADY_RUNNING: i64 = 94;

/// What `cage-poll supervise` ends with when another one is at work.
const SUPERVISOR_REFUSED: i64 = 1;

/// Checks that the agent `$3` can work in the message folder `$1` and the home `$2`, and writes the task file from the
/// prompt on standard input. `$4` says what is wanted.
///
/// A supervisor that is at work holds the lock, and its task file is left alone. Where `flock` is missing, only the
/// launch itself is refused. The hooks are installed in the home where the image has no managed settings with them: on
/// the embedded backend, and in images of other people's. Those the check of the hooks does not know.
const PREPARE_SCRIPT: &str = "set -e
umask 077
cage=$1 home=$2 agent=$3 wanted=\" $4 \"
wants() { case $wanted in *\" $1 \"*) ;; *) return 1 ;; esac; }
for program in cage-poll \"$agent\"; do
  command -v \"$program\" >/dev/null || { echo \"$program: not found\" >&2; exit 127; }
done
! command -v flock >/dev/null || flock -n \"$cage/.supervise.lock\" true || exit 94
if wants resume; then
  [ -f \"$cage/session.json\" ] || exit 93
else
  cat > \"$cage/task.md.next\"
  ! wants instructions || { printf '\\n\\n'; cage-poll instructions; } >> \"$cage/task.md.next\"
fi
if wants claude; then
  \"$agent\" --version >/dev/null || exit 91
  if ! grep -qs cage-poll /etc/claude-code/managed-settings.json; then
    mkdir -p \"$home/.claude\"
    cage-poll hook settings --program \"$(command -v cage-poll)\" > \"$home/.claude/settings.json\"
  elif wants preflight; then
    cage-poll hook check >/dev/null || exit 92
  fi
fi
wants resume || mv \"$cage/task.md.next\" \"$cage/task.md\"";

/// The program of the agent that [`TRY_SCRIPT`] starts.
const CLAUDE: &str = "claude";

/// Longest text that it may print about its version, in bytes.
const MAX_VERSION_BYTES: usize = 4 * 1024;

/// The checks of [`PREPARE_SCRIPT`] alone; nothing is written.
const TRY_SCRIPT: &str = "for program in cage-poll claude; do
  command -v \"$program\" >/dev/null || { echo \"$program: not found\" >&2; exit 127; }
done
claude --version || exit 91
! grep -qs cage-poll /etc/claude-code/managed-settings.json || cage-poll hook check >/dev/null || exit 92";

/// Starts the rest of the command line in a session of its own and returns once it has written down that it is at
/// work, or has ended. `$1` is the message folder.
///
/// A record that is older than the mark was left by an earlier supervisor, which may have had the same process number.
const START_SCRIPT: &str = "umask 077
cage=$1; shift
mark=$cage/.launching
trap 'rm -f \"$mark\"' EXIT
: > \"$mark\"
! command -v setsid >/dev/null || set -- setsid \"$@\"
\"$@\" </dev/null >/dev/null 2>\"$cage/supervise.err\" &
pid=$!
while kill -0 $pid 2>/dev/null; do
  [ \"$mark\" -nt \"$cage/session.json\" ] ||
    ! grep -qs \"\\\"supervisor_pid\\\": $pid,\" \"$cage/session.json\" || exit 0
  sleep 0.02
done
wait $pid; code=$?
tail -c 2000 \"$cage/supervise.err\" >&2
exit $code";

/// Starts an agent under `cage-poll supervise`, which outlives this connection.
pub(super) async fn launch(place: &Place, task: &Task) -> Result<()> {
    prepare(place, task).await?;
    let argv = supervise_argv(place, task, task.patience());
    let exit = place.exec(supervise_exec(place, task, START_SCRIPT, argv)).await?.exit().await?;
    started(place, exit)
}

/// Starts an agent like [`launch`], attached: its stream comes out as it is written, and it ends with the handle.
pub(super) async fn run(place: &Place, task: &Task) -> Result<AgentRun> {
    prepare(place, task).await?;
    let argv = supervise_argv(place, task, Some(task.patience().unwrap_or_default()));
    let exec = supervise_exec(place, task, super::agent_run::SCRIPT, argv).unlimited();
    let running = place.exec(exec.stdin(Stdin::HeldOpen)).await?;
    Ok(AgentRun::new(place.clone(), running))
}

/// Says what the end of a supervisor that has hardly begun means.
pub(super) fn started(place: &Place, exit: Exit) -> Result<()> {
    match exit.code {
        SUPERVISOR_REFUSED => Err(RequestError::AgentRunning { name: place.name.to_string() }.into()),
        _ => exit.success(LAUNCH),
    }
}

fn supervise_argv(place: &Place, task: &Task, patience: Option<Duration>) -> Vec<String> {
    let mut argv = ["cage-poll", "supervise"].map(str::to_owned).to_vec();
    if !task.resumes() {
        argv.extend(["--task-file".to_owned(), place.layout.task_file()]);
    }
    if let Some(limit) = patience {
        argv.extend(["--timeout".to_owned(), limit.as_secs().to_string()]);
    }
    argv.push("--".to_owned());
    argv.extend(task.agent_argv());
    argv
}

fn supervise_exec(place: &Place, task: &Task, script: &str, supervise: Vec<String>) -> Exec {
    let mut argv = ["sh", "-c", script, "sh"].map(str::to_owned).to_vec();
    argv.push(place.layout.cage_dir());
    argv.extend(supervise);
    Exec::new(LAUNCH, argv, LAUNCH_DEADLINE).env(task.environment()).cwd(place.layout.project())
}

/// Everything before the launch.
async fn prepare(place: &Place, task: &Task) -> Result<()> {
    task.check()?;
    let words = task.words()?;
    let mut wanted = vec![if task.resumes() { "resume" } else { "new" }];
    wanted.extend(task.has_instructions().then_some("instructions"));
    wanted.extend(task.has_preflight().then_some("preflight"));
    wanted.extend((*task.kind() == Agent::Claude).then_some("claude"));
    let agent = task.agent_argv().into_iter().next().unwrap_or_default();
    let (cage, home) = (place.layout.cage_dir(), place.layout.home());
    let argv = ["sh", "-c", PREPARE_SCRIPT, "sh", &cage, home, &agent, &wanted.join(" ")];
    let prompt = match &words {
        Words::New(prompt) => prompt.clone(),
        Words::Resume(_) => String::new(),
    };
    let exec = Exec::new(PREPARE, argv, PREPARE_DEADLINE).stdin(Stdin::Bytes(prompt.into_bytes().into()));
    judge(place, &agent, place.exec(exec).await?.exit().await?)?;
    if let Some(credential) = task.file_credential() {
        credential::copy_file(place, credential).await?;
    }
    if let Words::Resume(Some(words)) = words {
        Inbox::new(place.clone()).send(cage_proto::message::TaskRevision::new(words)).await?;
    }
    Ok(())
}

/// Starts Claude Code just to see that it does, checks its hooks, and returns the version that it tells.
pub(super) async fn try_agent(place: &Place) -> Result<String> {
    let exec = Exec::new(PREPARE, ["sh", "-c", TRY_SCRIPT], PREPARE_DEADLINE);
    match place.exec(exec).await?.collect(MAX_VERSION_BYTES).await {
        Ok(version) => Ok(sanitize(String::from_utf8_lossy(&version).trim())),
        Err(Error::Cage(CageError::Exited { code: AGENT_BROKEN, stderr: reason, .. })) => {
            Err(CageError::AgentBroken { agent: CLAUDE.to_owned(), reason }.into())
        }
        Err(Error::Cage(CageError::Exited { code: HOOKS_BROKEN, stderr: reason, .. })) => {
            Err(CageError::HooksBroken { reason }.into())
        }
        Err(error) => Err(error),
    }
}

fn judge(place: &Place, agent: &str, exit: Exit) -> Result<()> {
    let name = || place.name.to_string();
    let reason = exit.stderr.clone();
    Err(match exit.code {
        AGENT_BROKEN => Error::from(CageError::AgentBroken { agent: agent.to_owned(), reason }),
        HOOKS_BROKEN => CageError::HooksBroken { reason }.into(),
        NOTHING_TO_RESUME => RequestError::NothingToResume { name: name() }.into(),
        ALREADY_RUNNING => RequestError::AgentRunning { name: name() }.into(),
        _ => return exit.success(PREPARE),
    })
}
