//! The least that a durable send can do: write, sync, rename, sync the folder. What `cage-send` is measured against.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or(io::ErrorKind::InvalidInput);
    let (folder, name, text) = (PathBuf::from(next()?), next()?, next()?);
    let hidden = folder.join(".minimal");
    let mut file = File::create(&hidden)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&hidden, folder.join(name))?;
    File::open(&folder)?.sync_all()
}
