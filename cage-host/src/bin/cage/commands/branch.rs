//! `cage branch`: the agent's commits as a branch.

use std::fmt;
use std::path::PathBuf;

use cage_host::{Base, Branch, BranchOptions};
use serde::Serialize;

use super::diff::Refused;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, NAME, Page, Progress, WARN};

/// Options of `cage branch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
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

/// Makes a branch of the agent's commits.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
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
