//! Files on their way into a folder of the host: first all beside their places, then each renamed into it.
//!
//! Whatever can go wrong with room on the disk goes wrong before the first file is replaced.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, File, OpenOptions, Permissions, PermissionsExt as _};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use super::beneath::{make_folder, open_folder};
use super::changes::Change;
use super::protect::{BACKUP_MARK, TEMPORARY_PREFIX};
use super::safe_path::SafePath;
use super::spool::{Span, Spool};

/// Modes of exported files; whatever else an agent set (set-uid, writable for all) is dropped.
const MODE_PLAIN: u32 = 0o644;
const MODE_EXECUTABLE: u32 = 0o755;

/// Names tried for one; a folder that has them all is somebody's joke.
const MAX_NAME_ATTEMPTS: u32 = 100;

/// Files that are written but not yet in their places. Dropping it removes them, and the folders made for them.
pub(super) struct Stage<'a> {
    root: &'a Dir,
    waiting: Vec<Waiting<'a>>,
    made: Vec<PathBuf>,
    folder: Option<(PathBuf, Dir)>,
    attempts: u32,
}

struct Waiting<'a> {
    path: &'a SafePath,
    temporary: String,
}

impl<'a> Stage<'a> {
    pub(super) fn new(root: &'a Dir) -> Self {
        Self { root, waiting: Vec::new(), made: Vec::new(), folder: None, attempts: 0 }
    }

    /// Writes a content beside the place of its file, making the folders on the way.
    pub(super) fn write(&mut self, change: &'a Change, span: Span, spool: &Spool) -> io::Result<()> {
        let folder = self.folder(change.path.split().0)?;
        let (mut file, temporary) = self.create_beside(&folder)?;
        self.waiting.push(Waiting { path: &change.path, temporary });
        io::copy(&mut spool.reader(span), &mut file)?;
        file.flush()?;
        file.set_permissions(permissions(change))
    }

    /// Puts every file into its place; returns the backups made.
    ///
    /// A failure leaves the files before it replaced and the others as they were.
    pub(super) fn commit(mut self) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
        let mut backups = Vec::new();
        self.waiting.reverse();
        while let Some(Waiting { path, temporary }) = self.waiting.pop() {
            let (folder, name) = path.split();
            let replaced = self.folder(folder).and_then(|dir| {
                backups.extend(back_up(&dir, path)?.map(|backup| folder.join(backup)));
                dir.rename(&temporary, &dir, name)
            });
            if let Err(error) = replaced {
                self.waiting.push(Waiting { path, temporary });
                return Err((path.as_path().to_owned(), error));
            }
        }
        self.made.clear();
        Ok(backups)
    }

    /// Opens a folder; the last one is kept, since files come in the order of their paths.
    fn folder(&mut self, path: &Path) -> io::Result<Dir> {
        if let Some((last, dir)) = &self.folder
            && last == path
        {
            return dir.try_clone();
        }
        let dir = make_folder(self.root, path, &mut self.made)?;
        sweep(&dir)?;
        self.folder = Some((path.to_owned(), dir.try_clone()?));
        Ok(dir)
    }

    /// Creates a file in a folder under a name that nothing has.
    fn create_beside(&mut self, folder: &Dir) -> io::Result<(File, String)> {
        for _ in 0..MAX_NAME_ATTEMPTS {
            self.attempts += 1;
            let name = format!("{TEMPORARY_PREFIX}{}-{}", std::process::id(), self.attempts);
            // `create_new` follows no link and takes over nothing that lies there already.
            match folder.open_with(&name, OpenOptions::new().write(true).create_new(true)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                file => return file.map(|file| (file, name)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        // Whatever cannot be removed here has a name that no walk takes for a part of the project.
        for Waiting { path, temporary } in &self.waiting {
            if let Ok(folder) = open_folder(self.root, path.split().0) {
                let _ = folder.remove_file(temporary);
            }
        }
        for path in self.made.iter().rev() {
            let _ = self.root.remove_dir(path);
        }
    }
}

/// Removes what an export left in a folder whose program was killed.
fn sweep(folder: &Dir) -> io::Result<()> {
    for entry in folder.entries()? {
        let name = entry?.file_name();
        if name.to_str().is_some_and(is_abandoned) {
            folder.remove_file(&name)?;
        }
    }
    Ok(())
}

/// Says whether a name is one of an export whose program has ended.
fn is_abandoned(name: &str) -> bool {
    let number = name.strip_prefix(TEMPORARY_PREFIX).and_then(|rest| rest.split_once('-'));
    let pid = number.and_then(|(pid, _)| pid.parse().ok()).and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

/// Gives an exported file the one of two modes that it may have.
pub(super) fn permissions(change: &Change) -> Permissions {
    Permissions::from_mode(if change.executable { MODE_EXECUTABLE } else { MODE_PLAIN })
}

/// Keeps a `.gitignore` that is about to be replaced: the new one could hide what the agent does next.
fn back_up(folder: &Dir, path: &SafePath) -> io::Result<Option<String>> {
    let name = path.split().1.to_string_lossy();
    if name != super::rules::FILE_NAME || folder.symlink_metadata(&*name).is_err() {
        return Ok(None);
    }
    for attempt in 1..=MAX_NAME_ATTEMPTS {
        let backup = format!("{name}{BACKUP_MARK}-{attempt}");
        // A second name of the old file: the rename takes the first one away and leaves this.
        match folder.hard_link(&*name, folder, &backup) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            linked => return linked.map(|()| Some(backup)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
