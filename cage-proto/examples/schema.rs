//! Writes the JSON Schema of a message and of each payload: schema FOLDER

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use cage_proto::message::Kind;
use cage_proto::schema;
use serde_json::Value;

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or_else(|| io::Error::other("name the folder to write to"))?;
    fs::create_dir_all(&folder)?;
    write(&folder.join("envelope.json"), &schema::envelope())?;
    for kind in Kind::ALL {
        write(&folder.join(format!("{kind}.json")), &schema::payload(kind))?;
    }
    Ok(())
}

fn write(file: &Path, schema: &Value) -> io::Result<()> {
    fs::write(file, format!("{schema:#}\n"))
}
