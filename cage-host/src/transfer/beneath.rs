//! Opening things beneath a folder without following a link.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, File, OpenOptions, OpenOptionsExt as _};
use rustix::io::Errno;

use super::safe_path::SafePath;

/// `O_NONBLOCK` on Linux and the BSDs differ; rustix knows.
#[expect(clippy::cast_possible_wrap, reason = "the flag is a small number")]
const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;

/// Opens a regular file for reading. No component of the path may be a link, and a FIFO does not block.
pub(crate) fn open_beneath(root: &Dir, path: &SafePath) -> io::Result<File> {
    let (folder, name) = path.split();
    let folder = open_folder(root, folder)?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).custom_flags(NONBLOCK);
    let file = folder.open_with(name, &options)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

/// Opens a folder; no component of the path may be a link.
pub(crate) fn open_folder(root: &Dir, path: &Path) -> io::Result<Dir> {
    walk_down(root, path, |folder, name| folder.open_dir_nofollow(name))
}

/// Opens a folder like [`open_folder`], making what is missing and noting what was made.
pub(crate) fn make_folder(root: &Dir, path: &Path, made: &mut Vec<PathBuf>) -> io::Result<Dir> {
    let mut so_far = PathBuf::new();
    walk_down(root, path, |folder, name| {
        so_far.push(name);
        match folder.create_dir(name) {
            Ok(()) => made.push(so_far.clone()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        folder.open_dir_nofollow(name)
    })
}

/// Says whether a folder could not be opened because a link, a file or nothing stands in its place.
pub(crate) fn is_in_the_way(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::LOOP | Errno::NOTDIR | Errno::NOENT))
        || error.kind() == io::ErrorKind::NotADirectory
}

fn walk_down(
    root: &Dir,
    path: &Path,
    mut step: impl FnMut(&Dir, &OsStr) -> io::Result<Dir>,
) -> io::Result<Dir> {
    path.iter().try_fold(root.try_clone()?, |folder, name| step(&folder, name))
}
