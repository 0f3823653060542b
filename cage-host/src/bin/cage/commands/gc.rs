//! `cage gc`.

use std::fmt;

use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page};

/// Options of `cage gc`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Collected {
    removed: Vec<String>,
}

impl Answer for Collected {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.removed.is_empty() {
            return page.line("nothing was left behind");
        }
        self.removed.iter().try_for_each(|name| page.line(format_args!("removed {name}")))
    }
}

/// Removes what killed programs left behind.
pub(crate) async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let removed = context.host().await?.gc().await?;
    context.screen().answer(&Collected { removed: removed.iter().map(ToString::to_string).collect() })?;
    Ok(Exit::Ok)
}
