//! `cage branch` and `cage patch`: the agent's commits.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use cage_host::{Base, Branch, BranchOptions, Patches};
use serde::Serialize;

use super::create::name_from;
use super::diff::Refused;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, GOOD, NAME, Page, Progress, WARN, print};

/// Where patches are written unless told otherwise, one folder for each cage.
const PATCHES: &str = ".cage-patches";

/// Options of `cage branch`.
#[derive(Debug, clap::Args)]
pub(crate) struct BranchArgs {
    /// Name of the cage
    name: String,
    /// Name of the new branch; cage/NAME unless given
    branch: Option<String>,
    /// Folder in the repository that the commits belong to
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// Commit of the repository to begin at; HEAD unless given
    #[arg(long)]
    base: Option<String>,
    /// Take files too that tools run without being asked: look at them first
    #[arg(long)]
    agent_run: bool,
}

/// Options of `cage patch`.
#[derive(Debug, clap::Args)]
pub(crate) struct PatchArgs {
    /// Name of the cage
    name: String,
    /// Commit of the cage, by its full hexadecimal name, to begin behind; its creation unless given
    #[arg(long)]
    base: Option<String>,
    /// Print them instead of writing files
    #[arg(long)]
    stdout: bool,
    /// Folder to write them into; .cage-patches/NAME unless given
    #[arg(short, long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Made {
    cage: String,
    branch: String,
    base: String,
    commit: String,
    commits: usize,
    differs_from_base: Vec<String>,
    left_out: Vec<Refused>,
    left_out_more: usize,
}

#[derive(Debug, Serialize)]
struct CommitList {
    cage: String,
    commits: Vec<Commit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Commit {
    id: String,
    subject: String,
    files: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Made {
    fn new(cage: &str, branch: Branch) -> Self {
        Self {
            cage: cage.to_owned(),
            branch: branch.name,
            base: branch.base,
            commit: branch.commit,
            commits: branch.commits,
            differs_from_base: branch.differs_from_base,
            left_out: branch.left_out.iter().map(Refused::from).collect(),
            left_out_more: branch.left_out_more,
        }
    }
}

impl Answer for Made {
    fn show(&self, page: &mut Page) -> fmt::Result {
        for left_out in &self.left_out {
            page.styled(WARN, "left out")?;
            page.line(format_args!(" {}: {}", left_out.path, left_out.reason))?;
        }
        for path in &self.differs_from_base {
            page.styled(WARN, "began from another version")?;
            page.line(format_args!(" {path}"))?;
        }
        page.styled(GOOD, "made")?;
        page.text(" ")?;
        page.styled(NAME, &self.branch)?;
        let short = &self.base[..self.base.len().min(12)];
        page.line(format_args!(" with {} commits on {short}", self.commits))?;
        page.line(format_args!("next:  git diff {short}..{}", self.branch))
    }
}

impl Answer for CommitList {
    fn show(&self, page: &mut Page) -> fmt::Result {
        if self.commits.is_empty() {
            return page.line(format_args!("{} has committed nothing", self.cage));
        }
        for commit in &self.commits {
            page.styled(FAINT, &commit.id[..commit.id.len().min(12)])?;
            page.line(format_args!(" {} ({} files)", commit.subject, commit.files))?;
        }
        match &self.dir {
            Some(dir) => page.line(format_args!(
                "to read, in {}; cage branch {} takes them over",
                dir.display(),
                self.cage
            )),
            None => Ok(()),
        }
    }
}

/// Makes a branch of the agent's commits.
pub(crate) async fn branch(args: &BranchArgs, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let progress = Progress::begin(screen, &format!("reading the commits of {} …", args.name));
    let patches = cage.patches(Base::creation()).await?;
    let name = args.branch.clone().unwrap_or_else(|| format!("cage/{}", args.name));
    let mut options = BranchOptions::new(name).agent_run(args.agent_run);
    if let Some(base) = &args.base {
        options = options.base(base);
    }
    let branch = patches.branch(&args.repo, &options).await?;
    drop(progress);
    screen.answer(&Made::new(&args.name, branch))?;
    Ok(Exit::Ok)
}

/// Shows the agent's commits, or writes them into files.
pub(crate) async fn patch(args: &PatchArgs, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let base = args.base.as_deref().map_or_else(|| Ok(Base::creation()), Base::commit)?;
    let patches = context.cage(&args.name).await?.patches(base).await?;
    if args.stdout && !screen.is_json() {
        for patch in patches.iter() {
            print(&patches.unified_text(patch).await?)?;
        }
        return Ok(Exit::Ok);
    }
    let folder = args.output_dir.clone().unwrap_or_else(|| Path::new(PATCHES).join(&args.name));
    let dir = (!args.stdout && !patches.is_empty()).then_some(folder);
    let commits = write(&patches, dir.as_deref()).await?;
    screen.answer(&CommitList { cage: args.name.clone(), commits, dir })?;
    Ok(Exit::Ok)
}

/// Writes each commit into a file, if there is a folder for them.
async fn write(patches: &Patches, dir: Option<&Path>) -> Result<Vec<Commit>, Failure> {
    let mut commits = Vec::new();
    for (index, patch) in patches.iter().enumerate() {
        let name = format!("{:04}-{}.patch", index + 1, name_from(patch.subject(), ""));
        let file = dir.map(|dir| dir.join(name));
        if let Some(file) = &file {
            let text = patches.unified_text(patch).await?;
            let written =
                file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, text));
            written.map_err(|source| Failure::File { path: file.clone(), source })?;
        }
        let (id, subject) = (patch.id().to_owned(), patch.subject().to_owned());
        commits.push(Commit { id, subject, files: patch.files().len(), file });
    }
    Ok(commits)
}
