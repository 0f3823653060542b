//! Small files of the runtime: read without ever waiting, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

/// An operation on one of the runtime's files that failed.
#[derive(Debug, thiserror::Error)]
#[error("could not {operation} {}", path.display())]
pub(crate) struct FileError {
    operation: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    pub(crate) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.to_owned(), source: source.into() }
    }
}

/// Replaces a file by a whole new one, so that a reader sees the old one or the new one. It need not survive a loss of
/// power: what stands in these files is about processes that would not survive it either.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let hidden = hidden_beside(path);
    let written = write_new(&hidden, bytes).and_then(|()| fs::rename(&hidden, path));
    written.map_err(|error| {
        // A name of this process alone: where it cannot be removed it is in nobody's way.
        let _ = fs::remove_file(&hidden);
        FileError::new("write", path, error)
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = match File::create_new(path) {
        // What an earlier process with the same number left behind.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            File::create_new(path)?
        }
        created => created?,
    };
    file.write_all(bytes)
}

fn hidden_beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{}.{}.new", name.trim_start_matches('.'), std::process::id()))
}

/// Reads a file of at most `limit` bytes. Nothing when it is missing; an error when it is larger or no regular file.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(FileError::new("open", path, errno)),
    };
    read_opened(&file, limit).map(Some).map_err(|error| FileError::new("read", path, error))
}

fn read_opened(file: &File, limit: usize) -> io::Result<Vec<u8>> {
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_a_file_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("session.json");
        for text in ["one", "two"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(read(&path, 3).unwrap().unwrap(), text.as_bytes());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn says_which_file_could_not_be_written() {
        let error = replace(Path::new("/nowhere/x"), b"").unwrap_err();
        assert_eq!(error.to_string(), "could not write /nowhere/x");
    }

    #[test]
    fn reads_nothing_that_is_missing_too_large_or_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(read(&path, 9).unwrap().is_none());
        fs::write(&path, "0123456789").unwrap();
        assert!(read(&path, 9).is_err());
        assert!(read(folder.path(), 9).is_err());
    }
}
