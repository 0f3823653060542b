//! Commits out of a cage: three programs, each asked for what the one before it named.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::super::changes::{Change, Hold};
use super::super::compare::hold;
use super::super::fetch::read_output;
use super::super::protect::filled_by_tools;
use super::super::receive::MAX_FILE_BYTES;
use super::super::refused::Refused;
use super::super::spool::{Span, Spool};
use super::super::text::MAX_TEXT_BYTES;
use super::base::Base;
use super::commit_text;
use super::id::ObjectId;
use super::objects::{Kind, Wanted, parse_sizes, read_objects};
use super::patches::{Blobs, Inner, Patch, Patches};
use super::raw::{self, MAX_COMMITS, MAX_FILES, RawCommit, RawError, RawFile};
use crate::backend::{Exec, Stdin};
use crate::cage::Place;
use crate::error::{CageError, Error, IoContext as _, RequestError, Result};
use crate::sanitize::sanitize;

const READ: &str = "read the commits";

/// Longest time for each of the programs.
const DEADLINE: Duration = Duration::from_secs(300);

/// Longest output of the programs that name things, in bytes.
pub(super) const MAX_NAMES_BYTES: usize = 64 * 1024 * 1024;

/// Largest commit object, in bytes.
const MAX_COMMIT_BYTES: u64 = 1024 * 1024;

/// Most bytes of all contents together: they land on the host's disk.
pub(super) const MAX_TOTAL_BYTES: u64 = 1024 * 1024 * 1024;

/// What [`LOG_SCRIPT`] answers for a base that is not there.
const EXIT_NO_BASE: i64 = 3;

/// Names the commits behind `$1`, or behind the one that creation left, or behind the first of all, along first
/// parents, with what each changed.
const LOG_SCRIPT: &str = r#"command -v git >/dev/null || { echo 'sh: git: not found' >&2; exit 127; }
git rev-parse --verify --quiet 'HEAD^{commit}' >/dev/null || exit 0
base=${1:-$(git rev-parse --verify --quiet 'refs/cage/baseline^{commit}')}
base=${base:-$(git rev-list --first-parent --max-parents=0 HEAD -- | tail -n 1)}
git rev-parse --verify --quiet "$base^{commit}" >/dev/null || exit 3
git rev-list --first-parent --parents --reverse "$base..HEAD" -- | cut -d ' ' -f 1,2 |
  git diff-tree --stdin --root -r -z --no-renames"#;

/// Reads the commits behind a base.
pub(crate) async fn read(place: &Place, base: &Base) -> Result<Patches> {
    let commits = read_log(place, base).await?;
    let files = commits.iter().flat_map(|commit| &commit.files);
    let contents = files.flat_map(|file| file.old.iter().chain(&file.new)).collect();
    let sizes = read_sizes(place, contents).await?;
    let wanted = wanted(&commits, &sizes)?;
    let (objects, spool) = fetch_objects(place, wanted).await?;
    let mut refused = Refused::default();
    let mut list = Vec::with_capacity(commits.len());
    for commit in commits {
        let patch = assemble(commit, &sizes, &objects, &spool, &mut refused)?;
        list.push(patch);
    }
    Ok(Patches { inner: Inner { cage: place.name.clone(), list, refused, spool }.into() })
}

async fn read_log(place: &Place, base: &Base) -> Result<Vec<RawCommit>> {
    let read = read_log_behind(place, base.id()).await;
    match read {
        Err(LogError::NoBase) if base.is_of_the_host() => read_log_behind(place, "").await,
        read => read,
    }
    .map_err(|error| error.into_error(base))
}

/// Why there is no list of commits.
enum LogError {
    NoBase,
    Other(Error),
}

impl LogError {
    fn into_error(self, base: &Base) -> Error {
        match self {
            Self::Other(error) => error,
            Self::NoBase => {
                let reason = format!("the cage has no commit `{}`", base.id());
                RequestError::Invalid { what: "commit", reason }.into()
            }
        }
    }
}

/// Reads the list behind a commit, or behind the one that the cage's creation left.
async fn read_log_behind(place: &Place, base: &str) -> Result<Vec<RawCommit>, LogError> {
    let exec = git_exec(place, ["sh", "-c", LOG_SCRIPT, "sh", base]);
    let output = async { place.exec(exec).await?.collect(MAX_NAMES_BYTES).await };
    let output = output.await.map_err(|error| match error {
        Error::Cage(CageError::Exited { code: EXIT_NO_BASE, .. }) => LogError::NoBase,
        other => LogError::Other(other),
    })?;
    let parsed = raw::parse(&output).map_err(|error| match error {
        RawError::TooManyCommits => too_much(MAX_COMMITS as u64, "commits"),
        RawError::TooManyFiles => too_much(MAX_FILES as u64, "changed files"),
        other => malformed(&other.to_string()),
    });
    parsed.map_err(LogError::Other)
}

pub(super) fn git_exec<'a>(place: &Place, argv: impl IntoIterator<Item = &'a str>) -> Exec {
    Exec::new(READ, argv, DEADLINE).cwd(place.layout.project())
}

fn too_much(limit: u64, unit: &'static str) -> Error {
    CageError::TooMuch { operation: READ, limit, unit }.into()
}

fn malformed(reason: &str) -> Error {
    CageError::Malformed { operation: READ, reason: sanitize(reason) }.into()
}

/// Asks for the sizes of contents, so that none has to be read that is too large.
pub(super) async fn read_sizes(place: &Place, ids: BTreeSet<&ObjectId>) -> Result<HashMap<ObjectId, u64>> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let names = lines(ids.into_iter());
    let exec = git_exec(place, ["git", "cat-file", "--batch-check", "--buffer"]);
    let running = place.exec(exec.stdin(Stdin::Bytes(names.into()))).await?;
    Ok(parse_sizes(&running.collect(MAX_NAMES_BYTES).await?))
}

/// Writes names as a program reads them, one a line.
fn lines<'a>(ids: impl Iterator<Item = &'a ObjectId>) -> String {
    ids.fold(String::new(), |text, id| text + id.as_str() + "\n")
}

/// Lists the objects to read, each once.
fn wanted(commits: &[RawCommit], sizes: &HashMap<ObjectId, u64>) -> Result<Vec<Wanted>> {
    let mut wanted: Vec<Wanted> = Vec::new();
    let mut blobs = BTreeSet::new();
    let mut total = 0_u64;
    for commit in commits {
        wanted.push(Wanted { id: commit.id.clone(), kind: Kind::Commit, limit: MAX_COMMIT_BYTES });
        for file in &commit.files {
            let old = file.old.iter().map(|id| (id, MAX_TEXT_BYTES));
            for (id, most) in old.chain(file.new.iter().map(|id| (id, MAX_FILE_BYTES))) {
                let Some(size) = sizes.get(id).copied().filter(|size| *size <= most) else { continue };
                if blobs.insert(id.clone()) {
                    total = total.saturating_add(size);
                    wanted.push(Wanted { id: id.clone(), kind: Kind::Blob, limit: size });
                }
            }
        }
    }
    if total > MAX_TOTAL_BYTES { Err(too_much(MAX_TOTAL_BYTES, "bytes")) } else { Ok(wanted) }
}

pub(super) async fn fetch_objects(
    place: &Place,
    wanted: Vec<Wanted>,
) -> Result<(HashMap<ObjectId, Span>, Spool)> {
    let mut spool = Spool::new().context("make a temporary file in", &std::env::temp_dir())?;
    if wanted.is_empty() {
        return Ok((HashMap::new(), spool));
    }
    let names = lines(wanted.iter().map(|wanted| &wanted.id));
    let exec = git_exec(place, ["git", "cat-file", "--batch", "--buffer"]);
    let mut running = place.exec(exec.stdin(Stdin::Bytes(names.into()))).await?;
    let reading = move |stream| (read_objects(stream, &wanted, &mut spool), spool);
    let ((objects, spool), ended) = read_output(&mut running, READ, reading).await?;
    if ended {
        running.exit().await?;
    }
    let objects = objects.map_err(|error| match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            let path = std::env::temp_dir();
            crate::error::IoError { operation: "keep files of the cage in", path, source: error }.into()
        }
        _ => malformed(&error.to_string()),
    })?;
    Ok((objects, spool))
}

fn assemble(
    commit: RawCommit,
    sizes: &HashMap<ObjectId, u64>,
    objects: &HashMap<ObjectId, Span>,
    spool: &Spool,
    refused: &mut Refused,
) -> Result<Patch> {
    let span = objects.get(&commit.id).ok_or_else(|| malformed("a commit is missing"))?;
    let mut object = Vec::new();
    std::io::Read::read_to_end(&mut spool.reader(*span), &mut object)
        .context("read a temporary file in", &std::env::temp_dir())?;
    refused.extend(commit.refused);
    let blobs = |file: &RawFile| Blobs {
        was: file.was,
        old: file.old.clone(),
        old_content: file.old.as_ref().and_then(|id| objects.get(id)).copied(),
        new: file.new.clone(),
    };
    Ok(Patch {
        id: commit.id,
        text: commit_text::parse(&object),
        blobs: commit.files.iter().map(blobs).collect(),
        files: commit.files.into_iter().map(|file| change(file, sizes, objects)).collect(),
    })
}

fn change(file: RawFile, sizes: &HashMap<ObjectId, u64>, objects: &HashMap<ObjectId, Span>) -> Change {
    let size = file.new.as_ref().and_then(|id| sizes.get(id)).copied().unwrap_or_default();
    let content = file.new.as_ref().and_then(|id| objects.get(id)).copied();
    let protected = || filled_by_tools(&file.path).map(|_| Hold::Protected);
    let hold = file.hold.or_else(|| hold(&file.path, size)).or_else(protected);
    let unreadable = hold.is_none() && file.new.is_some() && content.is_none();
    Change {
        hold: if unreadable { Some(Hold::Unreadable) } else { hold },
        path: file.path,
        kind: file.kind,
        executable: file.executable,
        content,
        before: None,
        both_changed: false,
        moved: None,
    }
}
