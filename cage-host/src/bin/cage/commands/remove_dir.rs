//! `cage remove-dir`.

use std::fmt;

use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, Progress, confirm};

/// Options of `cage remove-dir`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Name of the folder in the cage's home
    folder: String,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
}

#[derive(Debug, Serialize)]
struct Outcome<'a> {
    cage: &'a str,
    folder: &'a str,
    removed: bool,
}

impl Answer for Outcome<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("removed {} from {}", self.folder, self.cage))
    }
}

/// Removes an extra folder from a cage; this machine's stays as it is.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let question = format!("Remove {} from {} with what was not exported?", args.folder, args.name);
    confirm(screen, args.yes, &question).await?;
    let progress = Progress::begin(screen, &format!("removing {} …", args.folder));
    cage.remove_folder(&args.folder).await?;
    drop(progress);
    screen.answer(&Outcome { cage: &args.name, folder: &args.folder, removed: true })?;
    Ok(Exit::Ok)
}
