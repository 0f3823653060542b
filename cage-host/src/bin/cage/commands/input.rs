//! Files that the command line names.

use std::io::Read as _;
use std::path::Path;

use crate::failure::Failure;

/// Reads a text file, or the standard input for `-`, of at most so many bytes.
pub(crate) fn read_text(path: &Path, limit: usize) -> Result<String, Failure> {
    let read = || {
        let mut text = String::new();
        // One byte more than allowed tells a file of the limit from a longer one.
        let limit = limit as u64 + 1;
        if path == Path::new("-") {
            std::io::stdin().lock().take(limit).read_to_string(&mut text)?;
        } else {
            std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
        }
        Ok(text)
    };
    let text = read().map_err(|error| Failure::File { path: path.to_owned(), error })?;
    if text.len() > limit {
        let error = std::io::Error::other(format!("it has more than the limit of {limit} bytes"));
        return Err(Failure::File { path: path.to_owned(), error });
    }
    Ok(text)
}

/// Reads `NAME=VALUE`.
pub(crate) fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("use NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is empty, use NAME=VALUE".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
