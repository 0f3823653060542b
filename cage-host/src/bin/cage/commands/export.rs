//! `cage export`.

use std::fmt;
use std::path::PathBuf;

use cage_host::{Export, ExportOptions};
use serde::Serialize;

use super::diff::{Difference, Refused};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page, Progress, WARN, confirm};

/// Options of `cage export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Folder to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    output_dir: PathBuf,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    /// Delete what the agent deleted
    #[arg(long)]
    delete: bool,
    /// Write files too that tools run without being asked, such as .git* and .vscode/: look at them first
    #[arg(long)]
    agent_run: bool,
}

#[derive(Debug, Serialize)]
struct Exported {
    cage: String,
    dir: PathBuf,
    written: Vec<String>,
    deleted: Vec<String>,
    left_out: Vec<Refused>,
}

impl Exported {
    fn new(args: &Args, export: Export) -> Self {
        let left_out = export.left_out.iter().map(Refused::from).collect();
        let (cage, dir) = (args.name.clone(), args.output_dir.clone());
        Self { cage, dir, written: export.written, deleted: export.deleted, left_out }
    }
}

impl Answer for Exported {
    fn show(&self, page: &mut Page) -> fmt::Result {
        for left_out in &self.left_out {
            page.styled(WARN, "left out")?;
            page.line(format_args!(" {}: {}", left_out.path, left_out.reason))?;
        }
        page.styled(GOOD, "exported")?;
        let (written, deleted) = (self.written.len(), self.deleted.len());
        page.line(format_args!(" {written} written, {deleted} deleted, in {}", self.dir.display()))
    }
}

/// Writes what the agent changed.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let progress = Progress::begin(screen, &format!("comparing {} …", args.name));
    let changes = cage.diff(&args.output_dir).await?;
    if !args.yes {
        drop(progress);
        screen.answer(&Difference::new(&changes, &args.output_dir))?;
    }
    let question = format!("Write this into {}?", args.output_dir.display());
    confirm(screen, args.yes, &question).await?;
    let options = ExportOptions::default().delete(args.delete).agent_run(args.agent_run);
    let export = cage.export_with(&args.output_dir, &changes, options).await?;
    screen.answer(&Exported::new(args, export))?;
    Ok(Exit::Ok)
}
