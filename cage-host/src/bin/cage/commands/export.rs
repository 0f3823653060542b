//! `cage export`.

use std::fmt;
use std::path::{Path, PathBuf};

use cage_host::{Cage, Changes, Export, ExportOptions};
use serde::Serialize;

use super::diff::{Answers, Difference, Lines, OfFolder, Refused};
use super::folders::Folders;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, GOOD, Page, Progress, WARN, confirm};

/// Options of `cage export`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    #[command(flatten)]
    folders: Folders,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
    /// Count the lines by language
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    options: Options,
    /// Accepted for scripts: caches are left out anyway
    #[arg(long, hide = true)]
    no_tidy: bool,
}

/// What an export may do.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
struct Options {
    /// Delete what the agent deleted
    #[arg(long)]
    delete: bool,
    /// Look into environments, installed packages and caches too
    #[arg(long)]
    include_cache: bool,
    /// Write files too that tools run without being asked, such as .git* and .vscode/: look at them first
    #[arg(long)]
    agent_run: bool,
    /// Replace files too that changed here as well; what they held is lost. With --only FILE also one that changed here
    /// alone
    #[arg(long)]
    overwrite: bool,
    /// Leave what this pattern names as it is here, as a line of .cageprotect would; repeatable
    #[arg(long, value_name = "PATTERN")]
    protect: Vec<String>,
    /// Export only this path of the folder; repeatable
    #[arg(long, value_name = "PATH", conflicts_with = "all")]
    only: Vec<PathBuf>,
}

/// Where an export goes.
pub(super) struct Target<'a> {
    pub(super) cage: &'a Cage,
    pub(super) dir: &'a Path,
}

/// What an export did.
#[derive(Debug, Serialize)]
pub(super) struct Exported {
    cage: String,
    folder: String,
    dir: PathBuf,
    written: Vec<String>,
    bytes: u64,
    deleted: Vec<String>,
    unchanged: Vec<String>,
    conflicts: Vec<Refused>,
    backups: Vec<String>,
    left_out: Vec<Refused>,
    left_out_more: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Vec<Lines>>,
}

impl Options {
    fn export(&self) -> ExportOptions {
        let options = ExportOptions::default().delete(self.delete).agent_run(self.agent_run);
        let options = options.overwrite(self.overwrite);
        if self.only.is_empty() { options } else { options.only(&self.only) }
    }
}

impl Target<'_> {
    /// What a person is asked before.
    pub(super) fn question(&self) -> String {
        format!("Write this into {}?", self.dir.display())
    }

    /// Writes the changes.
    pub(super) async fn write(&self, changes: &Changes, options: ExportOptions) -> Result<Exported, Failure> {
        let export = self.cage.export_with(self.dir, changes, options).await?;
        Ok(Exported::new(self, changes.folder(), export))
    }
}

impl Exported {
    fn new(target: &Target<'_>, folder: &str, export: Export) -> Self {
        let conflict = |conflict: cage_host::Conflict| Refused {
            path: conflict.path,
            reason: conflict.kind.to_string(),
        };
        Self {
            cage: target.cage.name().to_string(),
            folder: folder.to_owned(),
            dir: target.dir.to_owned(),
            written: export.written,
            bytes: export.bytes,
            deleted: export.deleted,
            unchanged: export.unchanged,
            conflicts: export.conflicts.into_iter().map(conflict).collect(),
            backups: export.backups,
            left_out: export.left_out.iter().map(Refused::from).collect(),
            left_out_more: export.left_out_more,
            stats: None,
        }
    }

    /// Files that somebody else changed too are no success.
    pub(super) fn exit(&self) -> Exit {
        if self.conflicts.is_empty() { Exit::Ok } else { Exit::Failed }
    }
}

impl OfFolder for Exported {
    fn folder(&self) -> (&str, &Path) {
        (&self.folder, &self.dir)
    }
}

impl Answer for Exported {
    fn show(&self, page: &mut Page) -> fmt::Result {
        for left_out in &self.left_out {
            page.styled(WARN, "left out")?;
            page.line(format_args!(" {}: {}", left_out.path, left_out.reason))?;
        }
        if self.left_out_more > 0 {
            page.line(format_args!("left out {} more", self.left_out_more))?;
        }
        for backup in &self.backups {
            page.line(format_args!("kept {backup}, as it was before"))?;
        }
        for conflict in &self.conflicts {
            page.styled(ALARM, "conflict")?;
            page.line(format_args!(" {}: {}", conflict.path, conflict.reason))?;
        }
        Lines::show_all(self.stats.as_deref(), page)?;
        page.styled(GOOD, "exported")?;
        let (written, deleted) = (self.written.len(), self.deleted.len());
        page.line(format_args!(" {written} written, {deleted} deleted, in {}", self.dir.display()))?;
        if self.conflicts.is_empty() {
            return Ok(());
        }
        page.line("next:  look at the conflicts; --overwrite replaces what changed here")
    }
}

/// Writes what the agent changed. Everything is read and shown before anything is written.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let many = args.folders.are_many();
    let made = args.folders.make_output_dir()?;
    let progress = Progress::begin(screen, &format!("comparing {} …", args.name));
    let mut compared = Vec::new();
    for pair in args.folders.of(&cage).await? {
        let options = pair.options(args.options.include_cache).protect(&args.options.protect);
        let changes = cage.diff_with(&pair.dir, options).await?;
        compared.push((changes, pair.dir));
    }
    drop(progress);
    if !args.yes && screen.is_interactive() {
        let differences = compared.iter().map(|(changes, dir)| Difference::new(changes, dir)).collect();
        screen.answer(&Answers::new(differences, many))?;
        if compared.iter().all(|(changes, _)| changes.is_empty()) {
            return Ok(Exit::Ok);
        }
    }
    confirm(screen, args.yes, &question(&compared)).await?;
    let mut exported = Vec::new();
    for (changes, dir) in &compared {
        exported.push(args.write(&Target { cage: &cage, dir }, changes).await?);
    }
    made.keep();
    let failed = exported.iter().any(|exported| exported.exit() != Exit::Ok);
    screen.answer(&Answers::new(exported, many))?;
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

fn question(compared: &[(Changes, PathBuf)]) -> String {
    let dirs: Vec<_> = compared.iter().map(|(_, dir)| dir.display().to_string()).collect();
    format!("Write this into {}?", dirs.join(", "))
}

impl Args {
    async fn write(&self, target: &Target<'_>, changes: &Changes) -> Result<Exported, Failure> {
        let stats = if self.stats { Some(Lines::of(changes).await?) } else { None };
        Ok(Exported { stats, ..target.write(changes, self.options.export()).await? })
    }
}
