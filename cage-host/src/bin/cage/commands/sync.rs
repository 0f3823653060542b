//! `cage sync` and `cage tidy`.

use std::fmt;
use std::path::PathBuf;

use cage_host::{Push, PushOptions, Tidied, TidyOptions};
use serde::Serialize;

use super::diff::Refused;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, GOOD, Page, Progress, bytes_in_words, confirm};

/// Options of `cage sync`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Folder of this machine
    #[arg(long, value_name = "DIR", default_value = ".")]
    from: PathBuf,
    /// Bring in only these paths of the project
    #[arg(long, value_name = "PATH", num_args = 1..)]
    files: Vec<PathBuf>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    /// Replace what the cage changed too; the agent's version is lost
    #[arg(long)]
    overwrite: bool,
    /// Delete in the cage what was deleted here
    #[arg(long)]
    delete: bool,
}

/// Options of `cage tidy`.
#[derive(Debug, clap::Args)]
pub(crate) struct TidyArgs {
    /// Name of the cage
    name: String,
    /// Remove what Cargo built too; a whole build makes it again
    #[arg(long)]
    builds: bool,
}

#[derive(Debug, Serialize)]
struct Synced {
    cage: String,
    written: Vec<String>,
    deleted: Vec<String>,
    conflicts: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Tidy {
    cage: String,
    folders: Vec<String>,
    bytes: u64,
}

impl Synced {
    fn new(cage: &str, push: Push) -> Self {
        let conflicts = push.conflicts.into_iter();
        let conflicts = conflicts.map(|it| Refused { path: it.path, reason: it.kind.to_string() });
        Self {
            cage: cage.to_owned(),
            written: push.written,
            deleted: push.deleted,
            conflicts: conflicts.collect(),
        }
    }
}

impl Answer for Synced {
    fn show(&self, page: &mut Page) -> fmt::Result {
        for conflict in &self.conflicts {
            page.styled(ALARM, "conflict")?;
            page.line(format_args!(" {}: {}", conflict.path, conflict.reason))?;
        }
        page.styled(GOOD, "brought in")?;
        let (written, deleted) = (self.written.len(), self.deleted.len());
        page.line(format_args!(" {written} written, {deleted} deleted, in {}", self.cage))
    }
}

impl Answer for Tidy {
    fn show(&self, page: &mut Page) -> fmt::Result {
        self.folders.iter().try_for_each(|folder| page.line(format_args!("removed {folder}")))?;
        page.line(format_args!("{} folders, {}", self.folders.len(), bytes_in_words(self.bytes)))
    }
}

/// Brings into the cage what changed on this machine.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let mut options = PushOptions::default().overwrite(args.overwrite).delete(args.delete);
    if !args.files.is_empty() {
        options = options.only(&args.files);
    }
    if args.overwrite || args.delete {
        confirm(screen, args.yes, "Replace or delete what the agent has?").await?;
    }
    let progress = Progress::begin(screen, &format!("comparing {} …", args.name));
    let push = cage.push_with(&args.from, &options).await?;
    drop(progress);
    let synced = Synced::new(&args.name, push);
    screen.answer(&synced)?;
    Ok(if synced.conflicts.is_empty() { Exit::Ok } else { Exit::Failed })
}

/// Removes caches from the cage.
pub(crate) async fn tidy(args: &TidyArgs, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    let Tidied { folders, bytes, .. } = cage.tidy(TidyOptions::default().builds(args.builds)).await?;
    context.screen().answer(&Tidy { cage: args.name.clone(), folders, bytes })?;
    Ok(Exit::Ok)
}
