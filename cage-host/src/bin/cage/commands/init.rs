//! `cage init`: what this machine needs before the first cage.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::context::{Context, cursor_folder};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page};

/// Options of `cage init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Accepted for scripts; there is no settings file to overwrite
    #[arg(long, hide = true)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Prepared {
    cursors: PathBuf,
    cages: usize,
}

impl Answer for Prepared {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "ready")?;
        page.line(format_args!("  what was read is remembered in {}", self.cursors.display()))?;
        page.line("next:  cage doctor; cage build-image; cage create --dir .")
    }
}

/// Makes the folder and sees whether an engine answers.
pub(crate) async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let cages = context.host().await?.list().await?.len();
    context.screen().answer(&Prepared { cursors: cursor_folder()?, cages })?;
    Ok(Exit::Ok)
}
