//! What changed on the host since a cage was created, brought into it.
//!
//! Three versions of a file decide: the host's, the cage's, and the one that both began with (see
//! [`three_way`](super::three_way)). The last one is in the cage's repository, so the agent could change it. That is no
//! danger to the host, which writes nothing here: an agent that lies about it can only have its own work overwritten,
//! or a conflict reported that is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::changes::{Change, ChangeKind, Changes};
use super::commits::BaseFiles;
use super::conflict::{Conflict, ConflictKind};
use super::diff::{DiffOptions, diff};
use super::exported::Memory;
use super::pack::pack_context;
use super::safe_path::SafePath;
use super::select::Selection;
use super::three_way::{ChangedBy, blocking, open, versions};
use super::version::Version;
use crate::backend::{Exec, Stdin};
use crate::cage::Place;
use crate::error::{EngineError, Result};
use crate::sanitize::sanitize_path;

const PUSH: &str = "bring files into the project";

/// Longest time for writing the files.
const DEADLINE: Duration = Duration::from_secs(600);

/// Keeps the pushed files as what both sides begin with from now on: the next push knows them, and no branch shows it.
const REMEMBER_SCRIPT: &str = r#"set -e
export GIT_INDEX_FILE="$PWD/.git/cage-push.index"
trap 'rm -f "$GIT_INDEX_FILE"' EXIT
rm -f "$GIT_INDEX_FILE"
git read-tree "$1"
git -c core.safecrlf=false update-index -z --add --remove --stdin
commit=$(git -c user.name=cage -c user.email=cage@localhost commit-tree "$(git write-tree)" -p "$1" -m push)
git update-ref refs/cage/base "$commit""#;

/// What a push may do beyond bringing in files that only the host changed.
///
/// ```
/// let options = cage_host::PushOptions::default().only(["docs"]).delete(true);
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct PushOptions {
    overwrite: bool,
    delete: bool,
    selection: Selection,
}

impl PushOptions {
    /// Replaces also what the cage changed; the agent's version is lost.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Deletes in the cage what was deleted on the host.
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Brings in only these paths of the project, each with everything below it.
    pub fn only<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.selection = Selection::only(paths);
        self
    }
}

/// What a push did. All paths are safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Push {
    /// Files that were written into the cage.
    pub written: Vec<String>,
    /// Files that were deleted in the cage.
    pub deleted: Vec<String>,
    /// Files that the cage changed too, and that were left there as they are.
    pub conflicts: Vec<Conflict>,
}

/// What is to be done about one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Write,
    Delete,
    Conflict,
    Nothing,
}

/// Brings what changed on the host into a cage.
pub(crate) async fn push(place: &Place, dir: &Path, options: &PushOptions, memory: &Memory) -> Result<Push> {
    let changes = Box::pin(diff(place, dir, DiffOptions::default(), memory)).await?;
    options.selection.check(changes.inner.all().map(|change| &change.path))?;
    let chosen = changes.inner.all().filter(|change| options.selection.takes(&change.path));
    let mut chosen: Vec<Change> = chosen.cloned().collect();
    chosen.sort_by(|a, b| a.path.cmp(&b.path));
    if chosen.is_empty() {
        return Ok(Push::default());
    }
    let base = Box::pin(BaseFiles::read(place, chosen.iter().map(|change| &change.path))).await?;
    let (base, plan) = decide_all(base, chosen, &changes, options, memory).await?;
    let paths = |wanted: Step| plan.iter().filter(move |(_, step)| *step == wanted).map(|(path, _)| path);
    write(place, dir, paths(Step::Write)).await?;
    delete(place, paths(Step::Delete)).await?;
    if let Some(commit) = base.commit() {
        let pushed = || paths(Step::Write).chain(paths(Step::Delete));
        remember(place, commit, pushed()).await?;
        // What both sides have now is newer than what was exported before.
        memory.change(place.folder(), dir, |exported| exported.forget(pushed()));
    }
    let shown = |wanted: Step| paths(wanted).map(|path| sanitize_path(path.as_path()));
    Ok(Push {
        written: shown(Step::Write).collect(),
        deleted: shown(Step::Delete).collect(),
        conflicts: shown(Step::Conflict)
            .map(|path| Conflict { path, kind: ConflictKind::BothChanged })
            .collect(),
    })
}

/// Compares the three versions of each file.
async fn decide_all(
    base: BaseFiles,
    chosen: Vec<Change>,
    changes: &Changes,
    options: &PushOptions,
    memory: &Memory,
) -> Result<(BaseFiles, Vec<(SafePath, Step)>)> {
    let (inner, options, memory) = (Arc::clone(&changes.inner), options.clone(), memory.clone());
    blocking(move || {
        let root = open(&inner.dir)?;
        let exported = memory.load(&inner.folder, &inner.dir);
        let common = base.versions();
        let step = |change: Change| {
            let versions = versions(&change, &inner, &root, &exported);
            let common = common.get(&change.path).copied().unwrap_or(Version::NOTHING);
            let step = decide(&change, versions.content_changed_by(common), &options);
            (change.path, step)
        };
        let plan = chosen.into_iter().map(step).collect();
        Ok((base, plan))
    })
    .await
}

fn decide(change: &Change, changed_by: ChangedBy, options: &PushOptions) -> Step {
    let step = match change.kind {
        ChangeKind::ModeChanged => Step::Nothing,
        // Only regular files are brought in.
        ChangeKind::Modified | ChangeKind::Deleted if change.before.is_none() => Step::Nothing,
        _ => match changed_by {
            ChangedBy::Cage => Step::Nothing,
            ChangedBy::Host if change.kind == ChangeKind::Added => Step::Delete,
            ChangedBy::Host => Step::Write,
            ChangedBy::Both => Step::Conflict,
        },
    };
    match step {
        Step::Delete if !options.delete => Step::Nothing,
        Step::Conflict if change.kind == ChangeKind::Added && !options.delete => Step::Nothing,
        Step::Conflict if change.kind == ChangeKind::Added && options.overwrite => Step::Delete,
        Step::Conflict if options.overwrite => Step::Write,
        step => step,
    }
}

async fn write<'a>(place: &Place, dir: &Path, paths: impl Iterator<Item = &'a SafePath>) -> Result<()> {
    let files: Vec<_> = paths.map(|path| path.as_path().to_owned()).collect();
    if files.is_empty() {
        return Ok(());
    }
    let packing = pack_context(dir.to_owned(), files);
    let exec = Exec::new(PUSH, ["tar", "--extract", "--no-same-owner", "--file=-"], DEADLINE);
    let exec = exec.cwd(place.layout.project()).stdin(Stdin::Stream(packing.stream));
    let unpacked = match place.exec(exec).await {
        Ok(running) => running.success().await,
        Err(error) => Err(error),
    };
    let packed = packing
        .done
        .await
        .map_err(|error| EngineError::Lost { operation: PUSH, reason: error.to_string() })?;
    // A packer that lost its reader says less than the reader.
    unpacked.and(packed.map(drop))
}

async fn delete<'a>(place: &Place, paths: impl Iterator<Item = &'a SafePath>) -> Result<()> {
    let names = ended_by_nul(paths);
    if names.is_empty() {
        return Ok(());
    }
    let exec = Exec::new(PUSH, ["xargs", "--null", "rm", "--force", "--"], DEADLINE);
    let exec = exec.cwd(place.layout.project()).stdin(Stdin::Bytes(names.into()));
    place.exec(exec).await?.success().await
}

async fn remember<'a>(place: &Place, base: &str, paths: impl Iterator<Item = &'a SafePath>) -> Result<()> {
    let names = ended_by_nul(paths);
    if names.is_empty() {
        return Ok(());
    }
    let exec = Exec::new(PUSH, ["sh", "-c", REMEMBER_SCRIPT, "sh", base], DEADLINE);
    let exec = exec.cwd(place.layout.project()).stdin(Stdin::Bytes(names.into()));
    place.exec(exec).await?.success().await
}

fn ended_by_nul<'a>(paths: impl Iterator<Item = &'a SafePath>) -> Vec<u8> {
    let paths: BTreeSet<_> = paths.collect();
    paths.into_iter().flat_map(|path| path.as_bytes().iter().copied().chain([0])).collect()
}
