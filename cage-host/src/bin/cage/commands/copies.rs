//! `cage snapshot`, `cage snapshots` and `cage fork`.

use std::fmt;

use anstyle::Style;
use cage_host::Snapshot;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, GOOD, NAME, Page, Progress, bytes_in_words};

/// Options of `cage snapshot`.
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotArgs {
    /// Name of the cage
    name: String,
    /// Name of the snapshot; the cage's name and the time unless given
    snapshot: Option<String>,
}

/// Options of `cage snapshots`.
#[derive(Debug, clap::Args)]
pub(crate) struct SnapshotsArgs {
    /// Remove this snapshot; cages that were made of it stay
    #[arg(long, value_name = "SNAPSHOT")]
    remove: Option<String>,
}

/// Options of `cage fork`.
#[derive(Debug, clap::Args)]
pub(crate) struct ForkArgs {
    /// Name of the cage, or with --snapshot of the snapshot
    from: String,
    /// Name of the new cage
    name: String,
    /// Make it of a snapshot
    #[arg(long)]
    snapshot: bool,
}

#[derive(Debug, Serialize)]
struct Row {
    snapshot: String,
    cage: String,
    created_at: String,
    size_bytes: u64,
}

#[derive(Debug, Serialize)]
#[serde(transparent)]
struct List(Vec<Row>);

#[derive(Debug, Serialize)]
struct Forked<'a> {
    from: &'a str,
    name: &'a str,
}

impl From<Snapshot> for Row {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            snapshot: snapshot.name.to_string(),
            cage: snapshot.cage,
            created_at: DateTime::<Utc>::from(snapshot.created).to_rfc3339_opts(SecondsFormat::Secs, true),
            size_bytes: snapshot.bytes,
        }
    }
}

impl Answer for Row {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "kept")?;
        page.line(format_args!(" {} as {}, {}", self.cage, self.snapshot, bytes_in_words(self.size_bytes)))?;
        page.line(format_args!("next:  cage fork --snapshot {} NAME", self.snapshot))
    }
}

impl Answer for List {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.0.is_empty() {
            return page.line("no snapshots");
        }
        let cells = |row: &Row| {
            let created = row.created_at.replace('T', " ").replace('Z', "");
            vec![
                (NAME, row.snapshot.clone()),
                (Style::new(), row.cage.clone()),
                (FAINT, created),
                (Style::new(), bytes_in_words(row.size_bytes)),
            ]
        };
        page.table(&["SNAPSHOT", "CAGE", "CREATED", "SIZE"], &self.0.iter().map(cells).collect::<Vec<_>>())
    }
}

impl Answer for Forked<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "created")?;
        page.line(format_args!(" {} like {}", self.name, self.from))
    }
}

/// Keeps the state of a cage.
pub(crate) async fn snapshot(args: &SnapshotArgs, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    let named = || format!("{}-{}", args.name, Utc::now().format("%Y%m%d-%H%M%S"));
    let name = args.snapshot.clone().unwrap_or_else(named);
    let progress = Progress::begin(context.screen(), &format!("copying {} …", args.name));
    let snapshot = context.host().await?.snapshot(&cage, &name).await?;
    drop(progress);
    context.screen().answer(&Row::from(snapshot))?;
    Ok(Exit::Ok)
}

/// Lists the snapshots, after removing one if that is wanted.
pub(crate) async fn snapshots(args: &SnapshotsArgs, context: &Context) -> Result<Exit, Failure> {
    let host = context.host().await?;
    if let Some(name) = &args.remove {
        host.remove_snapshot(name).await?;
    }
    let snapshots = host.snapshots().await?;
    context.screen().answer(&List(snapshots.into_iter().map(Row::from).collect()))?;
    Ok(Exit::Ok)
}

/// Makes a cage of a cage, or of a snapshot.
pub(crate) async fn fork(args: &ForkArgs, context: &Context) -> Result<Exit, Failure> {
    let host = context.host().await?;
    let progress = Progress::begin(context.screen(), &format!("copying {} …", args.from));
    if args.snapshot {
        host.fork_snapshot(&args.from, &args.name).await?;
    } else {
        let cage = context.cage(&args.from).await?;
        host.fork(&cage, &args.name).await?;
    }
    drop(progress);
    context.screen().answer(&Forked { from: &args.from, name: &args.name })?;
    Ok(Exit::Ok)
}
