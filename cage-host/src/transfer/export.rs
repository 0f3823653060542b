//! Writing changes into a folder of the host.
//!
//! Every path is opened component by component beneath the target without following a link. A file is written beside
//! its place and renamed into it, so that no reader sees half of it. Nothing is run, also no git.

use std::io::{self, Write as _};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, OpenOptions, Permissions, PermissionsExt as _};
use tokio::task::spawn_blocking;

use super::beneath::{make_folder, open_beneath, open_folder};
use super::changes::{Change, ChangeKind, Changes, Hold};
use super::refused::{Refused, RefusedPath};
use super::safe_path::SafePath;
use super::spool::Spool;
use crate::error::{EngineError, IoContext as _, Result};
use crate::sanitize::sanitize_path;

/// Modes of exported files; whatever else an agent set (set-uid, writable for all) is dropped.
const MODE_PLAIN: u32 = 0o644;
const MODE_EXECUTABLE: u32 = 0o755;

/// What the name of a file that is being written begins with.
const TEMPORARY_PREFIX: &str = ".cage-export-";

/// Names tried for one; a folder that has them all is somebody's joke.
const MAX_NAME_ATTEMPTS: u32 = 100;

/// What an export may do beyond adding and replacing ordinary files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use]
pub struct ExportOptions {
    delete: bool,
    agent_run: bool,
}

impl ExportOptions {
    /// Deletes what the agent deleted.
    pub fn delete(mut self, delete: bool) -> Self {
        self.delete = delete;
        self
    }

    /// Writes files too that tools run without being asked: look at each of them first.
    pub fn agent_run(mut self, agent_run: bool) -> Self {
        self.agent_run = agent_run;
        self
    }

    fn allows(self, change: &Change) -> Result<(), Hold> {
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
    /// Files that were deleted.
    pub deleted: Vec<String>,
    /// Changes that were left out, and why.
    pub left_out: Vec<RefusedPath>,
}

/// Writes changes into a folder, which is created when it is missing and removed again when that fails.
pub(crate) async fn export(changes: &Changes, target: &Path, options: ExportOptions) -> Result<Export> {
    let changes = changes.clone();
    let target = target.to_owned();
    spawn_blocking(move || {
        let fresh = !target.exists();
        std::fs::create_dir_all(&target).context("create the folder", &target)?;
        let exported = Dir::open_ambient_dir(&target, ambient_authority())
            .context("open the folder", &target)
            .and_then(|root| apply(&changes, &root, &target, options));
        if fresh && exported.is_err() {
            // The error that is already there says more than one about cleaning up.
            let _ = std::fs::remove_dir_all(&target);
        }
        exported
    })
    .await
    .unwrap_or_else(|error| Err(EngineError::Lost { operation: "export", reason: error.to_string() }.into()))
}

fn apply(changes: &Changes, root: &Dir, target: &Path, options: ExportOptions) -> Result<Export> {
    let mut export = Export::default();
    let mut left_out = Refused::default();
    for change in changes {
        if let Err(hold) = options.allows(change) {
            left_out.add(change.path.as_bytes(), hold);
            continue;
        }
        let shown = sanitize_path(change.path());
        match apply_one(change, root, &changes.inner.spool, options) {
            Ok(Outcome::Written) => export.written.push(shown),
            Ok(Outcome::Deleted) => export.deleted.push(shown),
            Ok(Outcome::LeftOut(reason)) => left_out.add(change.path.as_bytes(), reason),
            Err(error) => return Err(error).context("write", &target.join(change.path())),
        }
    }
    export.left_out = left_out.shown().to_vec();
    Ok(export)
}

enum Outcome {
    Written,
    Deleted,
    LeftOut(&'static str),
}

fn apply_one(change: &Change, root: &Dir, spool: &Spool, options: ExportOptions) -> io::Result<Outcome> {
    match (change.kind, change.content) {
        (ChangeKind::Added | ChangeKind::Modified, Some(_)) => write(change, root, spool),
        (ChangeKind::Added | ChangeKind::Modified, None) => Ok(Outcome::LeftOut("it has no content")),
        (ChangeKind::ModeChanged, _) => set_mode(change, root),
        (ChangeKind::Deleted, _) if !options.delete => Ok(Outcome::LeftOut("deleting was not asked for")),
        (ChangeKind::Deleted, _) => delete(&change.path, root),
    }
}

fn write(change: &Change, root: &Dir, spool: &Spool) -> io::Result<Outcome> {
    let (folder, name) = change.path.split();
    let folder = match make_folder(root, folder) {
        Err(error) if is_in_the_way(&error) => return Ok(Outcome::LeftOut(IN_THE_WAY)),
        folder => folder?,
    };
    if folder.symlink_metadata(name).is_ok_and(|metadata| !metadata.is_file()) {
        return Ok(Outcome::LeftOut(IN_THE_WAY));
    }
    let (mut file, temporary) = create_beside(&folder)?;
    let written = fill(&mut file, change, spool).and_then(|()| folder.rename(&temporary, &folder, name));
    if written.is_err() {
        // The error that is already there says more than one about cleaning up.
        let _ = folder.remove_file(&temporary);
    }
    written.map(|()| Outcome::Written)
}

fn fill(file: &mut File, change: &Change, spool: &Spool) -> io::Result<()> {
    if let Some(span) = change.content {
        io::copy(&mut spool.reader(span), file)?;
    }
    file.flush()?;
    file.set_permissions(Permissions::from_mode(mode(change)))
}

/// Creates a file in a folder under a name that nothing has.
fn create_beside(folder: &Dir) -> io::Result<(File, String)> {
    for attempt in 0..MAX_NAME_ATTEMPTS {
        let name = format!("{TEMPORARY_PREFIX}{}-{attempt}", std::process::id());
        // `create_new` follows no link and takes over nothing that lies there already.
        match folder.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            file => return file.map(|file| (file, name)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

fn set_mode(change: &Change, root: &Dir) -> io::Result<Outcome> {
    match open_beneath(root, &change.path) {
        Ok(file) => file.set_permissions(Permissions::from_mode(mode(change))).map(|()| Outcome::Written),
        Err(_) => Ok(Outcome::LeftOut("only its mode changed, and the folder does not have it")),
    }
}

fn delete(path: &SafePath, root: &Dir) -> io::Result<Outcome> {
    let (folder, name) = path.split();
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

/// What opening a folder answers where a link or a file stands.
fn is_in_the_way(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::LOOP | Errno::NOTDIR | Errno::NOENT))
        || error.kind() == io::ErrorKind::NotADirectory
}

fn mode(change: &Change) -> u32 {
    if change.executable { MODE_EXECUTABLE } else { MODE_PLAIN }
}
