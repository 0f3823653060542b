//! Proves that an image has program, settings and hooks in place, and that a hook really fires.
//!
//! The last step starts the agent in a folder of its own, with an API that nobody answers for: hooks run before the
//! first request.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use cage_proto::exit_code::Exit;
use cage_proto::mailbox::CageDir;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use uuid::Uuid;

use super::args::CheckArgs;
use super::{record, settings};
use crate::{files, output};

/// Bytes of a settings file.
const SETTINGS_BYTES_MAX: usize = 1024 * 1024;

/// How long the agent may take until its first hook. It takes about a second on an idle machine.
const HOOK_PATIENCE: Duration = Duration::from_secs(60);

/// How often to look whether the hook has run.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// An address at which nobody listens.
const NO_API: &str = "http://127.0.0.1:9";

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("program missing: {program} cannot be started ({error}); copy the static cage-poll there")]
    Program { program: String, error: io::Error },
    #[error("settings missing: {path} is not there; write it with `cage-poll hook settings`")]
    SettingsMissing { path: String },
    #[error("settings wrong: {path}: {why}; write it anew with `cage-poll hook settings`")]
    SettingsWrong { path: String, why: String },
    #[error("agent missing: {agent} cannot be started ({error})")]
    Agent { agent: String, error: io::Error },
    #[error("hook not firing: {agent} {how}; the settings are right, so see whether it reads them")]
    Silent { agent: String, how: String },
    #[error("could not make a folder to try it in: {0}")]
    Folder(io::Error),
}

/// Checks the image and says what it found.
pub(super) fn run(args: &CheckArgs) -> Exit {
    match check(args) {
        Ok(took) => {
            let found = format!(
                "hooks: ok, the session-start hook ran {} ms after the agent was started\n",
                took.as_millis()
            );
            // The exit code says it too, where nobody reads this.
            let _ = output::print(&found);
            Exit::Ok
        }
        Err(fault) => {
            output::complain(&fault.to_string());
            Exit::Rejected
        }
    }
}

fn check(args: &CheckArgs) -> Result<Duration, Fault> {
    let started = Command::new(&args.program).arg("--version").stdout(Stdio::null()).status();
    started.map_err(|error| Fault::Program { program: shown(&args.program), error })?;
    check_settings(&args.settings, &args.program)?;
    let folder = std::env::temp_dir().join(format!("cage-hook-check-{}", Uuid::new_v4()));
    fs::create_dir(&folder).map_err(Fault::Folder)?;
    let fired = fire(&args.agent, &folder);
    // What is left of it lies where temporary files lie.
    let _ = fs::remove_dir_all(&folder);
    fired
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn check_settings(path: &Path, program: &Path) -> Result<(), Fault> {
    let wrong = |why: String| Fault::SettingsWrong { path: shown(path), why };
    let bytes = files::read(path, SETTINGS_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| Fault::SettingsMissing { path: shown(path) })?;
    let found: Value = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let wanted: Value = serde_json::from_str(&settings::print(program)).unwrap_or_default();
    match difference(&wanted, &found) {
        None => Ok(()),
        Some(member) => Err(wrong(format!("`{member}` is not what this program wants"))),
    }
}

/// Returns the first member of `wanted` that `found` does not have. More members than wanted are welcome.
fn difference(wanted: &Value, found: &Value) -> Option<String> {
    let (Value::Object(wanted), Value::Object(members)) = (wanted, found) else {
        return (wanted != found).then(String::new);
    };
    wanted.iter().find_map(|(name, wanted)| {
        let inner = difference(wanted, members.get(name).unwrap_or(&Value::Null))?;
        Some(if inner.is_empty() { name.clone() } else { format!("{name}.{inner}") })
    })
}

/// Starts the agent and waits for its first hook.
fn fire(agent: &Path, folder: &Path) -> Result<Duration, Fault> {
    let dir = CageDir::new(folder.join(".cage"));
    let session_id = Uuid::new_v4().to_string();
    let begun = Instant::now();
    let mut child = Command::new(agent)
        .args(["-p", "--session-id", &session_id, "say nothing"])
        .env("HOME", folder)
        .env("CAGE_DIR", dir.path())
        .env("ANTHROPIC_BASE_URL", NO_API)
        .env("ANTHROPIC_API_KEY", "made-up")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| Fault::Agent { agent: shown(agent), error })?;
    let fired = wait_for_record(&mut child, &dir, &session_id, begun);
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // It may have ended by itself.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    fired.map_err(|how| Fault::Silent { agent: shown(agent), how })
}

/// Waits until the hook has written its record, the agent has ended, or patience is at its end.
fn wait_for_record(
    child: &mut Child,
    dir: &CageDir,
    session_id: &str,
    begun: Instant,
) -> Result<Duration, String> {
    loop {
        let ended = child.try_wait().ok().flatten();
        if record::has_started(dir, session_id) {
            return Ok(begun.elapsed());
        }
        if let Some(status) = ended {
            return Err(format!("ended with {status} and did not run the session-start hook"));
        }
        if begun.elapsed() > HOOK_PATIENCE {
            return Err(format!("did not run the session-start hook within {} s", HOOK_PATIENCE.as_secs()));
        }
        thread::sleep(LOOK_INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_the_first_member_that_differs() {
        let wanted = json!({ "env": { "A": "1" }, "hooks": { "Stop": [1] } });
        assert_eq!(
            difference(&wanted, &json!({ "env": { "A": "1", "B": "2" }, "hooks": { "Stop": [1] } })),
            None
        );
        assert_eq!(difference(&wanted, &json!({ "env": { "A": "2" } })).as_deref(), Some("env.A"));
        assert_eq!(
            difference(&wanted, &json!({ "env": { "A": "1" }, "hooks": {} })).as_deref(),
            Some("hooks.Stop")
        );
        assert_eq!(difference(&wanted, &json!([])).as_deref(), Some(""));
    }
}
