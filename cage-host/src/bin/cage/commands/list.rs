//! `cage list` and `cage exists`.

use std::fmt;
use std::path::PathBuf;

use anstyle::Style;
use cage_host::{CageSummary, Error, ExtraFolder, RequestError};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, GOOD, NAME, Page, WARN, bytes_in_words};

/// Options of `cage list`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show too what each takes on the disk; every file is looked at for it
    #[arg(long)]
    size: bool,
}

/// Options of `cage exists`.
#[derive(Debug, clap::Args)]
pub(crate) struct ExistsArgs {
    /// Name of the cage
    name: String,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    status: String,
    image: String,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    folders: Vec<Folder>,
}

/// An extra folder.
#[derive(Debug, Serialize)]
struct Folder {
    place: String,
    dir: Option<PathBuf>,
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
        let status = if cage.finished { cage.state.to_string() } else { "creating".to_owned() };
        let created_at = DateTime::<Utc>::from(cage.created).to_rfc3339_opts(SecondsFormat::Secs, true);
        let folder = |folder: ExtraFolder| Folder { place: folder.place, dir: folder.dir };
        Self {
            name: cage.name.to_string(),
            status,
            image: cage.image,
            created_at,
            size_bytes: cage.bytes,
            folders: cage.folders.into_iter().map(folder).collect(),
        }
    }
}

impl Row {
    fn cells(&self) -> Vec<(Style, String)> {
        let style = if self.status == "running" { GOOD } else { WARN };
        let created = self.created_at.replace('T', " ").replace('Z', "");
        let mut cells = vec![
            (NAME, self.name.clone()),
            (style, self.status.clone()),
            (FAINT, created),
            (Style::new(), short(&self.image).to_owned()),
        ];
        cells.extend(self.size_bytes.map(|bytes| (Style::new(), bytes_in_words(bytes))));
        cells
    }
}

/// Shortens the name of an image that has only its digest, as Docker does.
fn short(image: &str) -> &str {
    image.strip_prefix("sha256:").and_then(|digest| digest.get(..12)).unwrap_or(image)
}

impl Answer for List {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.0.is_empty() {
            return page.line("no cages; cage create --dir . makes one");
        }
        let rows: Vec<_> = self.0.iter().map(Row::cells).collect();
        let head = ["NAME", "STATUS", "CREATED", "IMAGE", "SIZE"];
        page.table(&head[..rows[0].len()], &rows)
    }
}

impl Answer for Existence<'_> {
    /// The exit code says it.
    fn show(&self, _: &mut Page) -> fmt::Result {
        Ok(())
    }
}

/// Lists all cages.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let host = context.host().await?;
    let cages = if args.size { host.list_with_sizes().await? } else { host.list().await? };
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
