//! An open folder. Everything goes through its descriptor, so that a folder that is renamed or replaced on the way is
//! never half used.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs2::FileExt as _;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, Stat, Timespec, Timestamps};
use rustix::io::{Errno, retry_on_intr};

use super::error::StorageError;

/// Owner reads and writes, others read: the host may look into a folder of another user.
const FILE_MODE: Mode = Mode::from_raw_mode(0o644);

/// How long a lock that is held by someone else is left alone before the next try, at first and at most.
const LOCK_RETRY: (Duration, Duration) = (Duration::from_micros(100), Duration::from_millis(5));

pub(crate) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// What stands under the name of a small file.
pub(crate) enum Small {
    Missing,
    Read(Vec<u8>),
    /// A link, a folder, a FIFO, or something larger than ours ever are.
    Strange,
}

impl Small {
    /// Returns its bytes, none for what is not ours.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Read(bytes) => Some(bytes),
            Self::Missing | Self::Strange => None,
        }
    }
}

/// Holds a lock until it is dropped, or until its process ends in whatever way.
#[derive(Debug)]
pub(crate) struct Locked {
    file: File,
}

impl Locked {
    /// Returns what stands in the lock file, at most `limit` bytes of it.
    pub(crate) fn content(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; limit];
        let read = self.file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes into the lock file, which stays locked.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, 0)
    }
}

impl std::fmt::Debug for Folder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Folder").field(&self.path).finish()
    }
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, StorageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()));
        let fd = fd.map_err(|error| StorageError::new("open the folder", path, error))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens a folder that is made first when it is missing, and then survives a loss of power.
    pub(crate) fn open_or_create(path: &Path) -> Result<Self, StorageError> {
        match Self::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path),
            opened => opened,
        }
    }

    fn create(path: &Path) -> Result<Self, StorageError> {
        match path.parent() {
            Some(parent) if parent != Path::new("") => {
                let parent = Self::open_or_create(parent)?;
                make_folder(path)?;
                parent.sync()?;
            }
            _ => make_folder(path)?,
        }
        Self::open(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, operation: &'static str, name: &OsStr, errno: Errno) -> StorageError {
        StorageError::new(operation, self.path.join(name), errno)
    }

    /// Lists the names in the folder, in the order of the file system.
    pub(crate) fn list(&self, mut see: impl FnMut(&OsStr)) -> Result<(), StorageError> {
        let failed = |errno| StorageError::new("list the folder", &self.path, errno);
        let dir = retry_on_intr(|| Dir::read_from(&self.fd)).map_err(failed)?;
        for entry in dir {
            let entry = match entry {
                Err(Errno::INTR) => continue,
                entry => entry.map_err(failed)?,
            };
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                see(OsStr::from_bytes(name));
            }
        }
        Ok(())
    }

    pub(crate) fn stat(&self) -> Result<Stat, StorageError> {
        retry_on_intr(|| rustix::fs::fstat(&self.fd))
            .map_err(|errno| StorageError::new("look at", &self.path, errno))
    }

    /// Looks at a file without following a link, or finds that it is not there.
    pub(crate) fn stat_of(&self, name: &OsStr) -> Result<Option<Stat>, StorageError> {
        match retry_on_intr(|| rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.error("look at", name, errno)),
        }
    }

    /// Opens a file for reading, never following a link and never waiting for the other end of a FIFO.
    pub(crate) fn open_file(&self, name: &OsStr) -> Result<File, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, Mode::empty())).map(File::from)
    }

    /// Reads a small file of our own; one that is no regular file or larger than the limit holds nothing of ours.
    pub(crate) fn read_small(&self, name: &OsStr, limit: usize) -> Result<Small, StorageError> {
        let file = match self.open_file(name) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(Small::Missing),
            Err(Errno::LOOP | Errno::NXIO) => return Ok(Small::Strange),
            Err(errno) => return Err(self.error("open", name, errno)),
        };
        let failed = |error| StorageError::new("read", self.path.join(name), error);
        if !file.metadata().map_err(failed)?.is_file() {
            return Ok(Small::Strange);
        }
        let bytes = read_up_to(&file, limit).map_err(failed)?;
        Ok(if bytes.len() <= limit { Small::Read(bytes) } else { Small::Strange })
    }

    /// Fails when the folder's path does not lead to it any more, since whoever writes there now is not seen here.
    pub(crate) fn check_in_place(&self) -> Result<(), StorageError> {
        let here = self.stat()?;
        let there = retry_on_intr(|| rustix::fs::stat(&self.path));
        match there {
            Ok(there) if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino) => Ok(()),
            Err(errno) if errno != Errno::NOENT => Err(StorageError::new("look at", &self.path, errno)),
            _ => {
                let moved = io::Error::new(io::ErrorKind::NotFound, "it was removed or replaced meanwhile");
                Err(StorageError::new("read the folder", &self.path, moved))
            }
        }
    }

    /// Makes a file that was not there before.
    pub(crate) fn create_file(&self, name: &OsStr) -> Result<File, StorageError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, FILE_MODE));
        fd.map(File::from).map_err(|errno| self.error("create", name, errno))
    }

    /// Gives a file a second name, which must be free.
    pub(crate) fn link(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        retry_on_intr(|| rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty()))
    }

    pub(crate) fn rename_no_replace(&self, from: &OsStr, to: &OsStr) -> Result<(), Errno> {
        retry_on_intr(|| rustix::fs::renameat_with(&self.fd, from, &self.fd, to, RenameFlags::NOREPLACE))
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), StorageError> {
        let renamed = retry_on_intr(|| rustix::fs::renameat(&self.fd, from, &self.fd, to));
        renamed.map_err(|errno| self.error("rename", from, errno))
    }

    /// Removes a file; that it is not there is fine.
    pub(crate) fn remove(&self, name: &OsStr) -> Result<(), StorageError> {
        match retry_on_intr(|| rustix::fs::unlinkat(&self.fd, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(self.error("remove", name, errno)),
        }
    }

    /// Waits until the folder's names are on disk.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        let synced = retry_on_intr(|| rustix::fs::fsync(&self.fd));
        synced.map_err(|errno| StorageError::new("sync the folder", &self.path, errno))
    }

    /// Sets the folder's time of last change.
    pub(crate) fn set_modified(&self, modified: Timespec) -> Result<(), Errno> {
        let keep = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT };
        rustix::fs::futimens(&self.fd, &Timestamps { last_access: keep, last_modification: modified })
    }

    /// Takes the lock of a lock file, waiting for it at most `patience`; nothing when it is still held then.
    pub(crate) fn lock(&self, name: &OsStr, patience: Duration) -> Result<Option<Locked>, StorageError> {
        let begun = Instant::now();
        let mut pause = LOCK_RETRY.0;
        let mut file = self.open_lock(name)?;
        loop {
            match file.try_lock_exclusive() {
                // Someone removed the file that was waited for, and others lock a new one.
                Ok(()) if !self.leads_to(name, &file)? => file = self.open_lock(name)?,
                Ok(()) => return Ok(Some(Locked { file })),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Err(StorageError::new("lock", self.path.join(name), error));
                }
                Err(_) if begun.elapsed() >= patience => return Ok(None),
                Err(_) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(LOCK_RETRY.1);
                }
            }
        }
    }

    fn open_lock(&self, name: &OsStr) -> Result<File, StorageError> {
        let open = |access| {
            let flags = access | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            retry_on_intr(|| rustix::fs::openat(&self.fd, name, flags, FILE_MODE))
        };
        // A lock file that another user made can only be read, which is enough where files are local.
        let file = match open(OFlags::RDWR) {
            Err(Errno::ACCESS) => open(OFlags::RDONLY),
            opened => opened,
        };
        file.map(File::from).map_err(|errno| self.error("open the lock", name, errno))
    }

    /// Tells whether a name still leads to this open file.
    fn leads_to(&self, name: &OsStr, file: &File) -> Result<bool, StorageError> {
        let opened =
            retry_on_intr(|| rustix::fs::fstat(file)).map_err(|errno| self.error("look at", name, errno))?;
        let named = self.stat_of(name)?;
        Ok(named.is_some_and(|named| (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)))
    }
}

fn make_folder(path: &Path) -> Result<(), StorageError> {
    match std::fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(StorageError::new("create the folder", path, error))
        }
        _ => Ok(()),
    }
}

/// Reads at most one byte more than the limit, by which the caller sees that there was more.
pub(crate) fn read_up_to(file: &File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FileType, mknodat, symlinkat};

    #[test]
    fn opens_no_link_and_waits_for_no_other_end_of_a_fifo() {
        // Both can take a file's place between a look at it and its opening.
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(temp.path()).unwrap();
        symlinkat("/etc/hostname", &folder.fd, "link").unwrap();
        mknodat(&folder.fd, "fifo", FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(folder.open_file("link".as_ref()).unwrap_err(), Errno::LOOP);
        assert!(folder.open_file("fifo".as_ref()).is_ok());
        assert!(matches!(folder.read_small("link".as_ref(), 10).unwrap(), Small::Strange));
        assert!(matches!(folder.read_small("fifo".as_ref(), 10).unwrap(), Small::Strange));
    }
}
