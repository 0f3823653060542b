//! Reads the input, answers, writes down what went wrong.

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use cage_proto::env::{Clock as _, System};
use cage_proto::exit_code::Exit;
use cage_proto::mailbox::CageDir;
use cage_proto::message::Timestamp;

use super::args::{HookArgs, HookCommand};
use super::input::{Answer, Input};
use super::{check, post_tool, prompt, session_start, settings, stop, stop_failure};
use crate::error::Error;

/// Bytes of input that are looked at. What a tool gave back stands in it, and is not needed.
const INPUT_BYTES_MAX: u64 = 1024 * 1024;

/// Bytes of `hook.log` above which a new one is begun; the one before is kept.
const HOOK_LOG_BYTES_MAX: u64 = 1024 * 1024;

/// Why a hook did less than it should have. It ends up in `hook.log`.
pub(super) type Trouble = Box<dyn StdError + Send + Sync>;

/// What a hook has to say.
pub(super) type Reply = Result<Option<Answer>, Trouble>;

/// Runs one subcommand of `cage-poll hook`.
pub(crate) fn run(args: HookArgs) -> Result<Exit, Error> {
    let event = match args.command {
        HookCommand::Settings(settings) => {
            crate::output::print(&settings::print(&settings.program))?;
            return Ok(Exit::Ok);
        }
        HookCommand::Check(check) => return Ok(check::run(&check)),
        event => event,
    };
    if let Ok(dir) = CageDir::find(args.dir) {
        answer(&event, &dir);
    }
    Ok(Exit::Ok)
}

/// Answers one hook. Whatever goes wrong is noted down and not shown to the agent.
fn answer(event: &HookCommand, dir: &CageDir) {
    let raw = read_input();
    let reply = match event {
        HookCommand::SessionStart => session_start::answer(dir, &raw),
        HookCommand::UserPromptSubmit => prompt::answer(dir, &raw),
        HookCommand::Stop => stop::answer(dir, &raw),
        HookCommand::StopFailure => stop_failure::answer(dir, &raw),
        HookCommand::PostToolUse => post_tool::answer_use(dir),
        HookCommand::PostToolBatch => post_tool::answer_batch(dir),
        HookCommand::Settings(_) | HookCommand::Check(_) => Ok(None),
    };
    let printed = match reply {
        Ok(Some(answer)) => crate::output::print(&answer.to_json()).map_err(Trouble::from),
        Ok(None) => Ok(()),
        Err(trouble) => Err(trouble),
    };
    if let Err(trouble) = printed {
        // Nobody is left to tell when even this fails, and the agent must not be failed.
        let _ = note(dir, &format!("{event:?}: {}", crate::error::with_causes(trouble.as_ref())));
    }
}

/// Reads the input up to its limit, and takes the rest so that the writer is not cut off.
fn read_input() -> Vec<u8> {
    let mut stdin = io::stdin().lock();
    let mut bytes = Vec::new();
    // An input that cannot be read is an empty one; the hook then knows less.
    let _ = stdin.by_ref().take(INPUT_BYTES_MAX).read_to_end(&mut bytes);
    let _ = io::copy(&mut stdin, &mut io::sink());
    bytes
}

/// Understands the input.
pub(super) fn parse(raw: &[u8]) -> Result<Input, Trouble> {
    serde_json::from_slice(raw).map_err(|error| format!("the input is not understood: {error}").into())
}

/// Adds a line to `hook.log`.
fn note(dir: &CageDir, text: &str) -> io::Result<()> {
    let path = dir.hook_log();
    if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > HOOK_LOG_BYTES_MAX) {
        fs::rename(&path, with_suffix(&path, ".1"))?;
    }
    let mut log = File::options().append(true).create(true).open(&path)?;
    log.write_all(format!("{} {text}\n", Timestamp::from(System.now())).as_bytes())
}

fn with_suffix(path: &Path, suffix: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
