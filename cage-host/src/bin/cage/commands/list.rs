//! `cage list` and `cage exists`.

use std::fmt;

use anstyle::Style;
use cage_host::{CageSummary, Error, RequestError};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, NAME, Page, WARN};

/// Options of `cage list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Options of `cage exists`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExistsArgs {
    /// Name of the cage
    name: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    status: &'static str,
    image: String,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Row>);

#[derive(Debug, Serialize)]
struct Existence<'a> {
    name: &'a str,
    exists: bool,
}

impl From<CageSummary> for Row {
    fn from(cage: CageSummary) -> Self {
        let status = match (cage.finished, cage.running) {
            (false, _) => "creating",
            (true, true) => "running",
            (true, false) => "stopped",
        };
        Self { name: cage.name.to_string(), status, image: cage.image }
    }
}

impl Answer for List {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.0.is_empty() {
            return page.line("no cages; cage create --dir . makes one");
        }
        let style = |status| if status == "running" { GOOD } else { WARN };
        let cells = |row: &Row| {
            vec![
                (NAME, row.name.clone()),
                (style(row.status), row.status.to_owned()),
                (Style::new(), row.image.clone()),
            ]
        };
        page.table(&["NAME", "STATUS", "IMAGE"], &self.0.iter().map(cells).collect::<Vec<_>>())
    }
}

impl Answer for Existence<'_> {
    /// The exit code says it.
    fn show(&self, _: &mut Page) -> fmt::Result {
        Ok(())
    }
}

/// Lists all cages.
pub(crate) async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let cages = context.host().await?.list().await?;
    context.screen().answer(&List(cages.into_iter().map(Row::from).collect()))?;
    Ok(Exit::Ok)
}

/// Says whether a cage exists.
pub(crate) async fn exists(args: &ExistsArgs, context: &Context) -> Result<Exit, Failure> {
    let exists = match context.cage(&args.name).await {
        Ok(_) => true,
        Err(Failure::Host(Error::Request(RequestError::NoSuchCage { .. }))) => false,
        Err(Failure::Host(error @ Error::Engine(_))) => return Err(Failure::CannotTell(error)),
        Err(other) => return Err(other),
    };
    context.screen().answer(&Existence { name: &args.name, exists })?;
    Ok(if exists { Exit::Ok } else { Exit::Failed })
}
