//! `cage add-dir`.

use std::fmt;
use std::path::PathBuf;

use cage_host::sanitize_path;
use serde::Serialize;

use super::folders::place_of;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, NAME, Page, Progress, bytes_in_words, count};

/// Options of `cage add-dir`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Folder of this machine
    dir: PathBuf,
    /// What it is called in the cage's home; its own name unless given
    #[arg(long = "name", visible_alias = "as", value_name = "NAME")]
    folder: Option<String>,
}

#[derive(Debug, Serialize)]
struct Added<'a> {
    cage: &'a str,
    folder: &'a str,
    files: u64,
    bytes: u64,
    left_out: Vec<String>,
}

impl Answer for Added<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "added")?;
        page.text(" ")?;
        page.styled(NAME, self.folder)?;
        let (files, bytes) = (count(self.files, "file"), bytes_in_words(self.bytes));
        page.line(format_args!(" to {} with {files}, {bytes}", self.cage))?;
        self.left_out
            .iter()
            .try_for_each(|path| page.line(format_args!("  left out {path}: no regular file")))?;
        page.line(format_args!("next:  cage diff {} --dir {}", self.cage, self.folder))
    }
}

/// Copies a folder into a cage, beside its project.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    let folder = args.folder.clone().unwrap_or_else(|| place_of(&args.dir));
    let progress = Progress::begin(context.screen(), &format!("copying {} …", args.dir.display()));
    let arrival = cage.add_folder(&folder, &args.dir).await?;
    drop(progress);
    let left_out = arrival.left_out.iter().map(|path| sanitize_path(path)).collect();
    let (files, bytes) = (arrival.files, arrival.bytes);
    context.screen().answer(&Added { cage: &args.name, folder: &folder, files, bytes, left_out })?;
    Ok(Exit::Ok)
}
