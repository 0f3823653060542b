//! The payload: from the argument, a file or stdin, and from the members' flags, which come on top.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use cage_proto::limits::MESSAGE_BYTES_MAX;
use cage_proto::message::{MessageError, Shape, parse_object};
use serde_json::{Map, Value, json};

use crate::args::{Flag, Request};
use crate::error::Error;

/// Collects the members of the payload, unchecked.
pub(crate) fn collect(request: &Request) -> Result<Map<String, Value>, Error> {
    let mut members = match &request.payload {
        Some(argument) => parse_object(&read_argument(argument)?).map_err(Error::Payload)?,
        None => Map::new(),
    };
    for flag in &request.flags {
        members.insert(flag.member.name.to_owned(), value_of(flag)?);
    }
    Ok(members)
}

fn read_argument(argument: &OsStr) -> Result<Vec<u8>, Error> {
    match argument.as_bytes() {
        b"-" => read_bounded(io::stdin().lock(), Path::new("stdin")),
        [b'@', path @ ..] => read_file(Path::new(OsStr::from_bytes(path))),
        json => Ok(json.to_vec()),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).map_err(|error| Error::Input(path.to_owned(), error))?;
    read_bounded(file, path)
}

fn read_bounded(input: impl Read, path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MESSAGE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    input.take(limit).read_to_end(&mut bytes).map_err(|error| Error::Input(path.to_owned(), error))?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(Error::Payload(MessageError::TooLarge));
    }
    Ok(bytes)
}

/// Reads a flag's text as what its member wants. A text that does not fit stays a text, and the check that follows
/// says what is wrong with it.
fn value_of(flag: &Flag) -> Result<Value, Error> {
    let last = flag.values.last().map_or("", String::as_str);
    Ok(match flag.member.shape {
        Shape::Text => last.into(),
        Shape::Boolean => last.parse::<bool>().map_or_else(|_| last.into(), Value::from),
        Shape::Integer => last.parse::<i64>().map_or_else(|_| last.into(), Value::from),
        Shape::Number => {
            serde_json::from_str::<serde_json::Number>(last).map_or_else(|_| last.into(), Value::from)
        }
        Shape::TextList => flag.values.iter().cloned().collect(),
        Shape::FileList => flag.values.iter().map(|path| file_content(path)).collect::<Result<_, _>>()?,
    })
}

fn file_content(path: &str) -> Result<Value, Error> {
    let content = String::from_utf8(read_file(Path::new(path))?);
    let content = content
        .map_err(|error| Error::Input(path.into(), io::Error::new(io::ErrorKind::InvalidData, error)))?;
    Ok(json!({ "path": path, "content": content }))
}
