//! Writing changes into a folder of the host.
//!
//! Every path is opened component by component beneath the target without following a link. A file is written beside
//! its place and renamed into it, so that no reader sees half of it. Nothing is run, also no git.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tokio::task::spawn_blocking;

use super::beneath::{is_in_the_way, open_beneath, open_folder};
use super::changes::{Change, ChangeKind, Changes, Hold};
use super::conflict::{Conflict, ConflictKind};
use super::diff::{fingerprint_beneath, same_content};
use super::exported::Memory;
use super::protect::Protection;
use super::refused::{Refused, RefusedPath};
use super::safe_path::SafePath;
use super::select::Selection;
use super::spool::Span;
use super::stage::{Stage, permissions};
use super::version::{Content, Version};
use crate::error::{EngineError, IoContext as _, IoError, Result};
use crate::sanitize::sanitize_path;

/// What an export may do beyond adding and replacing ordinary files that nobody else touched.
///
/// ```
/// let options = cage_host::ExportOptions::default().delete(true).only(["src", "README.md"]);
/// # drop(options);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct ExportOptions {
    delete: bool,
    agent_run: bool,
    overwrite: bool,
    selection: Selection,
}

impl ExportOptions {
    /// Deletes what the agent deleted, so that the folder mirrors the project; never what is protected or ignored.
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Writes files too that tools run without being asked: look at each of them first.
    pub fn agent_run(mut self, agent_run: bool) -> Self {
        self.agent_run = agent_run;
        self
    }

    /// Replaces and deletes also files that the host changed, since the diff or together with the cage; what they held
    /// is lost. One that the host alone changed is made as the cage has it only if [`ExportOptions::only`] names it
    /// itself.
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// Exports only these paths of the project, each with everything below it.
    pub fn only<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.selection = Selection::only(paths);
        self
    }

    /// Returns the changes to be made, and those that were named although the host alone made them.
    fn choose<'a>(&self, changes: &'a Changes) -> (Vec<&'a Change>, Vec<&'a Change>) {
        let inner = &changes.inner;
        let here = inner.changed_here.iter().filter(|change| self.selection.names(&change.path));
        let chosen = inner.list.iter().filter(|change| self.selection.takes(&change.path));
        if self.overwrite {
            (chosen.chain(here).collect(), Vec::new())
        } else {
            (chosen.collect(), here.collect())
        }
    }

    fn allows(&self, change: &Change) -> Result<(), Hold> {
        match change.hold {
            Some(Hold::AgentRun) if self.agent_run => Ok(()),
            Some(hold) => Err(hold),
            None => Ok(()),
        }
    }
}

/// What an export did. All paths are safe to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Export {
    /// Files that were written or changed in mode.
    pub written: Vec<String>,
    /// The sum of the written contents, in bytes.
    pub bytes: u64,
    /// Files that were deleted.
    pub deleted: Vec<String>,
    /// Files that the folder had already as the cage has them.
    pub unchanged: Vec<String>,
    /// Files that the host changed, too, or since the diff, and that were left as they are there.
    pub conflicts: Vec<Conflict>,
    /// Where the folder's own `.gitignore` files were kept before they were replaced.
    pub backups: Vec<String>,
    /// Changes that were left out, and why; at most a thousand of them.
    pub left_out: Vec<RefusedPath>,
    /// How many more were left out.
    pub left_out_more: usize,
}

/// Writes changes into a folder, which is created when it is missing and removed again when that fails.
pub(crate) async fn export(
    changes: &Changes,
    target: &Path,
    options: ExportOptions,
    memory: &Memory,
) -> Result<Export> {
    let (changes, memory) = (changes.clone(), memory.clone());
    let target = target.to_owned();
    spawn_blocking(move || {
        options.selection.check(changes.inner.all().map(|change| &change.path))?;
        let fresh = !target.exists();
        std::fs::create_dir_all(&target).context("create the folder", &target)?;
        let exported = Dir::open_ambient_dir(&target, ambient_authority())
            .context("open the folder", &target)
            .and_then(|root| Exporter::new(&changes, &root, &target, &options)?.run());
        let exported = exported.map(|(export, done)| {
            memory.change(&changes.inner.folder, &target, |exported| exported.note(done));
            export
        });
        if fresh && exported.is_err() {
            // The error that is already there says more than one about cleaning up.
            let _ = std::fs::remove_dir_all(&target);
        }
        exported
    })
    .await
    .unwrap_or_else(|error| Err(EngineError::Lost { operation: "export", reason: error.to_string() }.into()))
}

struct Exporter<'a> {
    changes: &'a Changes,
    root: &'a Dir,
    target: &'a Path,
    options: &'a ExportOptions,
    protection: Protection,
    /// The folder is the one that the changes were compared with.
    same_folder: bool,
    export: Export,
    /// What the folder has now, as far as this export changed it.
    done: Vec<(SafePath, Version)>,
    left_out: Refused,
}

/// What is to be done about one change.
enum Step {
    Write(Span),
    SetMode,
    Delete,
    Nothing,
    Conflict(ConflictKind),
    LeaveOut(String),
}

impl<'a> Exporter<'a> {
    fn new(
        changes: &'a Changes,
        root: &'a Dir,
        target: &'a Path,
        options: &'a ExportOptions,
    ) -> Result<Self> {
        Ok(Self {
            changes,
            root,
            target,
            options,
            protection: Protection::of(root, target, false)?,
            same_folder: is_folder(root, &changes.inner.dir),
            export: Export::default(),
            done: Vec::new(),
            left_out: Refused::default(),
        })
    }

    fn run(mut self) -> Result<(Export, Vec<(SafePath, Version)>)> {
        let (changes, options, target) = (self.changes, self.options, self.target);
        let mut stage = Stage::new(self.root);
        let mut rest = Vec::new();
        let (chosen, left) = options.choose(changes);
        for change in left {
            self.leave_out(change, "the host alone changed it");
        }
        for change in chosen {
            match self.step(change)? {
                Step::Write(span) => match stage.write(change, span, &changes.inner.spool) {
                    Err(error) if is_in_the_way(&error) => self.leave_out(change, IN_THE_WAY),
                    Err(error) => return Err(not_staged(error, target.join(change.path()))),
                    Ok(()) => self.written(change, span),
                },
                Step::SetMode => rest.push((change, set_mode as Finish)),
                Step::Delete => rest.push((change, delete as Finish)),
                Step::Nothing => self.unchanged(change),
                Step::Conflict(kind) => self.conflict(change, kind),
                Step::LeaveOut(reason) => self.leave_out(change, &reason),
            }
        }
        let backups =
            stage.commit().map_err(|(path, error)| io_error("replace", target.join(path), error))?;
        self.export.backups = backups.iter().map(|path| sanitize_path(path)).collect();
        for (change, finish) in rest {
            self.finish(change, finish)?;
        }
        self.export.left_out = self.left_out.shown().to_vec();
        self.export.left_out_more = self.left_out.uncounted();
        Ok((self.export, self.done))
    }

    /// Decides about one change; nothing is written yet.
    fn step(&mut self, change: &Change) -> Result<Step> {
        if let Err(hold) = self.options.allows(change) {
            return Ok(Step::LeaveOut(hold.to_string()));
        }
        if self.protection.protecting(&change.path)?.is_some() {
            return Ok(Step::LeaveOut("the folder's `.cageprotect` names it".to_owned()));
        }
        Ok(self.step_unprotected(change))
    }

    fn step_unprotected(&self, change: &Change) -> Step {
        match self.step_of_two(change) {
            step if change.both_changed && self.would_lose(change, &step) => {
                self.unless_overwriting(ConflictKind::BothChanged, step)
            }
            step => step,
        }
    }

    /// Says whether a step would undo what is there.
    fn would_lose(&self, change: &Change, step: &Step) -> bool {
        match step {
            Step::Write(_) => self.same_folder || !matches!(look(self.root, &change.path), There::Nothing),
            Step::SetMode | Step::Delete => true,
            Step::Nothing | Step::Conflict(_) | Step::LeaveOut(_) => false,
        }
    }

    /// Decides as far as the folder and the cage tell.
    fn step_of_two(&self, change: &Change) -> Step {
        match (change.kind, change.content) {
            (ChangeKind::Added | ChangeKind::Modified, Some(span)) => self.step_write(change, span),
            (ChangeKind::Added | ChangeKind::Modified, None) => {
                Step::LeaveOut("it has no content".to_owned())
            }
            (ChangeKind::ModeChanged, _) => Step::SetMode,
            (ChangeKind::Deleted, _) if !self.options.delete => {
                Step::LeaveOut("deleting was not asked for".to_owned())
            }
            (ChangeKind::Deleted, _) => self.step_delete(change),
        }
    }

    fn step_write(&self, change: &Change, span: Span) -> Step {
        let inner = &self.changes.inner;
        let there = match look(self.root, &change.path) {
            There::Nothing if change.kind == ChangeKind::Modified && self.same_folder => {
                return self.unless_overwriting(ConflictKind::Vanished, Step::Write(span));
            }
            There::Nothing => return Step::Write(span),
            There::Other => return Step::LeaveOut(IN_THE_WAY.to_owned()),
            There::File => fingerprint_beneath(self.root, &change.path, &inner.fingerprints),
        };
        if same_content(there, &inner.spool, span, &inner.fingerprints) {
            let executable = look_executable(self.root, &change.path);
            return if executable == change.executable { Step::Nothing } else { Step::SetMode };
        }
        match change.kind {
            ChangeKind::Added => self.unless_overwriting(ConflictKind::Appeared, Step::Write(span)),
            _ if there.is_some() && there == change.before => Step::Write(span),
            _ => self.unless_overwriting(ConflictKind::Changed, Step::Write(span)),
        }
    }

    fn step_delete(&self, change: &Change) -> Step {
        let there = fingerprint_beneath(self.root, &change.path, &self.changes.inner.fingerprints);
        match look(self.root, &change.path) {
            There::Nothing => Step::LeaveOut("it is gone already".to_owned()),
            There::File if there.is_none() || there != change.before => {
                self.unless_overwriting(ConflictKind::Changed, Step::Delete)
            }
            There::File | There::Other => Step::Delete,
        }
    }

    fn unless_overwriting(&self, kind: ConflictKind, step: Step) -> Step {
        if self.options.overwrite { step } else { Step::Conflict(kind) }
    }

    fn finish(&mut self, change: &Change, finish: Finish) -> Result<()> {
        let shown = sanitize_path(change.path());
        match finish(change, self.root) {
            Ok(Outcome::Written) => {
                self.done.push((change.path.clone(), self.version(change)));
                self.export.written.push(shown);
            }
            Ok(Outcome::Deleted) => {
                self.done.push((change.path.clone(), Version::NOTHING));
                self.export.deleted.push(shown);
            }
            Ok(Outcome::LeftOut(reason)) => self.leave_out(change, reason),
            Err(error) => return Err(io_error("change", self.target.join(change.path()), error)),
        }
        Ok(())
    }

    /// Returns what the cage has; of what changed only in mode, the content is not known.
    fn version(&self, change: &Change) -> Version {
        let spool = &self.changes.inner.spool;
        let content = change.content.map(|span| Content::read(spool.reader(span)));
        Version { content: content.unwrap_or(Content::Unknown), executable: change.executable }
    }

    fn unchanged(&mut self, change: &Change) {
        self.done.push((change.path.clone(), self.version(change)));
        self.export.unchanged.push(sanitize_path(change.path()));
    }

    fn written(&mut self, change: &Change, span: Span) {
        self.done.push((change.path.clone(), self.version(change)));
        self.export.written.push(sanitize_path(change.path()));
        self.export.bytes += span.len;
    }

    fn conflict(&mut self, change: &Change, kind: ConflictKind) {
        self.export.conflicts.push(Conflict { path: sanitize_path(change.path()), kind });
    }

    fn leave_out(&mut self, change: &Change, reason: &str) {
        self.left_out.add(change.path.as_bytes(), reason);
    }
}

/// What an opened folder of the host has at a path.
enum There {
    Nothing,
    File,
    Other,
}

fn look(root: &Dir, path: &SafePath) -> There {
    let (folder, name) = path.split();
    let metadata = open_folder(root, folder).and_then(|folder| folder.symlink_metadata(name));
    match metadata {
        Ok(metadata) if metadata.is_file() => There::File,
        Err(error) if error.kind() == io::ErrorKind::NotFound => There::Nothing,
        Ok(_) | Err(_) => There::Other,
    }
}

fn look_executable(root: &Dir, path: &SafePath) -> bool {
    let metadata = open_beneath(root, path).and_then(|file| file.metadata());
    metadata.is_ok_and(|metadata| cap_std::fs::MetadataExt::mode(&metadata) & 0o100 != 0)
}

/// Says whether an opened folder is the one at a path now.
fn is_folder(root: &Dir, path: &Path) -> bool {
    let (Ok(opened), Ok(there)) = (root.dir_metadata(), path.metadata()) else { return false };
    let opened = (cap_std::fs::MetadataExt::dev(&opened), cap_std::fs::MetadataExt::ino(&opened));
    opened == (there.dev(), there.ino())
}

/// What is done after all contents are in their places.
type Finish = fn(&Change, &Dir) -> io::Result<Outcome>;

enum Outcome {
    Written,
    Deleted,
    LeftOut(&'static str),
}

fn set_mode(change: &Change, root: &Dir) -> io::Result<Outcome> {
    match open_beneath(root, &change.path) {
        Ok(file) => file.set_permissions(permissions(change)).map(|()| Outcome::Written),
        Err(_) => Ok(Outcome::LeftOut("only its mode changed, and the folder does not have it")),
    }
}

fn delete(change: &Change, root: &Dir) -> io::Result<Outcome> {
    let (folder, name) = change.path.split();
    let folder = match open_folder(root, folder) {
        Err(error) if is_in_the_way(&error) => return Ok(Outcome::LeftOut(IN_THE_WAY)),
        folder => folder?,
    };
    match folder.remove_file(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::LeftOut("it is gone already")),
        removed => removed.map(|()| Outcome::Deleted),
    }
}

const IN_THE_WAY: &str = "a link, or something else that is no folder or file, stands in its way";

/// Says what a failure before the first replacement means for the folder.
fn not_staged(error: io::Error, path: PathBuf) -> crate::Error {
    let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
    let operation = if full {
        "write the export, so nothing was changed (free space, then export again);"
    } else {
        "write the export, so nothing was changed;"
    };
    io_error(operation, path, error)
}

fn io_error(operation: &'static str, path: PathBuf, source: io::Error) -> crate::Error {
    IoError { operation, path, source }.into()
}
