//! A session begins, anew or after a resume, a clear or a compaction.

use std::env;
use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use cage_proto::mailbox::CageDir;

use super::record;
use super::run::{Reply, Trouble, parse};
use crate::delivery::{Bearer, Desk};

/// What Claude Code itself needs and a command in its shell does not. Its own switch for this wants a sandbox that a
/// container without rights cannot make. It hides them from commands that print their environment, not from one that
/// looks into the agent's process.
const CREDENTIALS: [&str; 5] = [
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_CUSTOM_HEADERS",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
];

/// Names the file with commands that Claude Code runs before each one in its shell.
const ENV_FILE: &str = "CLAUDE_ENV_FILE";

pub(super) fn answer(dir: &CageDir, raw: &[u8]) -> Reply {
    hide_credentials()?;
    let input = parse(raw)?;
    // A compaction goes on in the same process, which may still be busy with what it was handed.
    if input.source.as_deref() != Some("compact") {
        Desk::open(dir)?.withdraw_except(&[Bearer::Turn], Duration::ZERO)?;
    }
    record::update(dir, input.session_id.as_deref(), raw, |record| {
        record.source = input.source;
        record.started_at = Some(record::now());
        record.transcript_path = input.transcript_path;
        record.status = record::Status::Running;
    })?;
    Ok(None)
}

fn hide_credentials() -> Result<(), Trouble> {
    let Some(path) = env::var_os(ENV_FILE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let mut file = File::options().append(true).create(true).open(path)?;
    file.write_all(format!("unset {}\n", CREDENTIALS.join(" ")).as_bytes())?;
    Ok(())
}
