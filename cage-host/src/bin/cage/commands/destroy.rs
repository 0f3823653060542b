//! `cage destroy`.

use std::fmt;

use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, Progress, confirm};

/// Options of `cage destroy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    /// Accepted for scripts; a cage has no clone on the host
    #[arg(long, hide = true)]
    keep_host_clone: bool,
}

#[derive(Debug, Serialize)]
struct Destroyed<'a> {
    name: &'a str,
    destroyed: bool,
}

impl Answer for Destroyed<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("destroyed {}", self.name))
    }
}

/// Removes a cage.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let question = format!("Destroy {} with everything in it that was not exported?", args.name);
    confirm(screen, args.yes, &question).await?;
    let progress = Progress::begin(screen, &format!("destroying {} …", args.name));
    cage.destroy().await?;
    drop(progress);
    screen.answer(&Destroyed { name: &args.name, destroyed: true })?;
    Ok(Exit::Ok)
}
