//! Cloning a repository inside a cage, where whatever it holds can touch nothing of the host.

use std::time::Duration;

use super::git_repo::CloneSource;
use super::place::Place;
use super::progress::{CreateEvent, Reporter};
use crate::backend::{Chunk, Exec, Running};
use crate::error::{CageError, Result};
use crate::sanitize::sanitize_stderr;

/// Longest time for a clone: a large repository over a slow line.
const CLONE_DEADLINE: Duration = Duration::from_secs(1_800);

const CLONE: &str = "clone the repository";

/// Bytes kept of a line of git's output, and of all lines that say what went wrong.
const LINE_BYTES_MAX: usize = 1_024;
const COMPLAINT_BYTES_MAX: usize = 4_096;

/// Clones `$2` into the project `$1`, the branch `$3` and the commit `$4` if they are named.
///
/// Nobody is there to be asked for a password. A repository without a commit gets one, so that there is a baseline.
const CLONE_SCRIPT: &str = "set -e
export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http:git
git clone --progress --template= ${3:+--branch \"$3\"} -- \"$2\" \"$1\"
cd \"$1\"
[ -z \"$4\" ] || git reset --quiet --hard \"$4\" --
git rev-parse --quiet --verify HEAD >/dev/null || git -c user.name=cage -c user.email=cage@localhost \
  commit --quiet --allow-empty --no-verify --message=baseline
git update-ref refs/cage/baseline HEAD";

/// Clones a repository as the project.
pub(super) async fn clone(place: &Place, source: &CloneSource, reporter: &mut Reporter) -> Result<()> {
    reporter.say(CreateEvent::Cloning { step: String::new(), percent: 0 });
    let (project, branch) = (place.layout.project(), source.branch.clone().unwrap_or_default());
    let revision = source.revision.clone().unwrap_or_default();
    let argv = ["sh", "-c", CLONE_SCRIPT, "sh", &project, &source.url, &branch, &revision];
    let exec = Exec::new(CLONE, argv, CLONE_DEADLINE).cwd(place.layout.home());
    let mut running = place.exec(exec).await?;
    let complaint = listen(&mut running, reporter).await?;
    match running.exit().await?.code {
        0 => Ok(()),
        _ => Err(CageError::CloneFailed { url: source.url.clone(), reason: complaint }.into()),
    }
}

/// Reports git's progress and returns what it complained about, sanitized.
async fn listen(running: &mut Running, reporter: &mut Reporter) -> Result<String> {
    let (mut line, mut complaint) = (Vec::new(), Vec::new());
    while let Some(chunk) = running.next().await? {
        let Chunk::Stderr(bytes) = chunk else { continue };
        for &byte in &bytes {
            if matches!(byte, b'\r' | b'\n') {
                hear(&line, &mut complaint, reporter);
                line.clear();
            } else if line.len() < LINE_BYTES_MAX {
                line.push(byte);
            }
        }
    }
    hear(&line, &mut complaint, reporter);
    Ok(sanitize_stderr(&complaint))
}

fn hear(line: &[u8], complaint: &mut Vec<u8>, reporter: &mut Reporter) {
    let text = String::from_utf8_lossy(line);
    reporter.git_line(&text);
    let says_why = ["fatal:", "error:", "remote: fatal", "remote: error"];
    if says_why.iter().any(|start| text.starts_with(start)) && complaint.len() < COMPLAINT_BYTES_MAX {
        complaint.extend_from_slice(line);
        complaint.push(b'\n');
    }
}
