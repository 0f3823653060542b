//! One supervisor in a cage.

use std::fs::{File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::error::SuperviseError;
use crate::files::FileError;

/// Bytes of the process number in the lock file.
const PID_BYTES_MAX: u64 = 32;

/// The right to supervise, until it is dropped or its process ends in whatever way.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes this process's number into it.
    pub(super) fn take(path: &Path) -> Result<Self, SuperviseError> {
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| FileError::new("open the lock", path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SuperviseError::Running(holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", path, error).into()),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        written.map_err(|error| FileError::new("write", path, error))?;
        Ok(Self { _file: file })
    }
}

/// Reads who holds the lock, as far as it says so.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    // It may just be writing its number.
    let _ = file.take(PID_BYTES_MAX).read_to_string(&mut text);
    match text.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    }
}
