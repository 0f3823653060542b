//! `cage salvage`.

use std::fmt;
use std::path::PathBuf;

use cage_host::{ExportOptions, Salvage, SalvagedMessage};
use serde::Serialize;

use super::diff::Difference;
use super::export::{Exported, Target};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, Notice, Page, Progress, confirm};

/// Options of `cage salvage`.
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
    /// Replace files too that changed here since the cage was created; what they held is lost
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    status: String,
    outbox: Vec<Notice<'a>>,
    inbox: Vec<Notice<'a>>,
    log_tail: &'a str,
    #[serde(flatten)]
    difference: Difference,
    #[serde(skip_serializing_if = "Option::is_none")]
    exported: Option<Exported>,
}

impl<'a> Found<'a> {
    fn new(salvage: &'a Salvage, args: &Args) -> Self {
        let notices = |messages: &'a [SalvagedMessage]| {
            messages.iter().map(|message| Notice { name: &message.name, content: &message.content }).collect()
        };
        Self {
            status: salvage.state.to_string(),
            outbox: notices(&salvage.outbox),
            inbox: notices(&salvage.inbox),
            log_tail: &salvage.log_tail,
            difference: Difference::new(&salvage.changes, &args.output_dir),
            exported: None,
        }
    }
}

impl Answer for Found<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if let Some(exported) = &self.exported {
            return exported.show(page);
        }
        page.styled(FAINT, format_args!("{}, {} messages:", self.status, self.outbox.len()))?;
        page.line("")?;
        self.outbox.iter().try_for_each(|message| message.show(page))?;
        self.difference.show(page)
    }
}

/// Shows what is there, then writes it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let progress = Progress::begin(screen, &format!("reading {} …", args.name));
    let salvage = cage.salvage(&args.output_dir).await?;
    drop(progress);
    let target = Target { cage: &cage, dir: &args.output_dir };
    let mut found = Found::new(&salvage, args);
    if !screen.is_json() {
        screen.answer(&found)?;
        if salvage.changes.is_empty() {
            return Ok(Exit::Ok);
        }
        confirm(screen, args.yes, &target.question()).await?;
    } else if !args.yes {
        // A program looks first, and comes again with --yes.
        screen.answer(&found)?;
        return Ok(Exit::Ok);
    }
    let options = ExportOptions::default().overwrite(args.overwrite);
    let exported = target.write(&salvage.changes, options).await?;
    let exit = exported.exit();
    found.exported = Some(exported);
    screen.answer(&found)?;
    Ok(exit)
}
