//! `cage patch`: the agent's commits for `git am`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use cage_host::{Base, Mail, MailOptions, Series};
use serde::Serialize;

use super::create::name_from;
use super::diff::Refused;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, Page, Progress, Screen, WARN, count, print};

/// Where patches are written unless told otherwise, one folder for each cage.
const PATCHES: &str = ".cage-patches";

/// Options of `cage patch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Commit to begin behind: a revision of the repository here, or the full name of a commit in the cage; its
    /// creation unless given
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Print them all instead of writing files
    #[arg(long)]
    stdout: bool,
    /// Folder to write them into; .cage-patches/NAME unless given
    #[arg(short, long, value_name = "DIR", conflicts_with = "stdout")]
    output_dir: Option<PathBuf>,
    /// Folder in the repository that the commits belong to
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// Take files too that tools run without being asked: look at them first
    #[arg(long)]
    agent_run: bool,
}

#[derive(Debug, Serialize)]
struct CommitList {
    cage: String,
    commits: Vec<Commit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dir: Option<PathBuf>,
    left_out: Vec<Refused>,
    left_out_more: usize,
}

#[derive(Debug, Serialize)]
struct Commit {
    id: String,
    subject: String,
    files: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
}

impl Answer for CommitList {
    fn show(&self, page: &mut Page) -> fmt::Result {
        self.show_left_out(page)?;
        let Some(dir) = self.dir.as_ref().filter(|_| !self.commits.is_empty()) else {
            return page.line(format_args!("{} has committed nothing to write down", self.cage));
        };
        for commit in &self.commits {
            page.styled(FAINT, &commit.id[..commit.id.len().min(12)])?;
            page.line(format_args!(" {} ({})", commit.subject, count(commit.files as u64, "file")))?;
        }
        page.line(format_args!("next:  git am {}/*.patch", dir.display()))
    }
}

impl CommitList {
    fn show_left_out(&self, page: &mut Page) -> fmt::Result {
        for left_out in &self.left_out {
            page.styled(WARN, "left out")?;
            page.line(format_args!(" {}: {}", left_out.path, left_out.reason))?;
        }
        if self.left_out_more > 0 {
            page.line(format_args!("left out {} more", self.left_out_more))?;
        }
        Ok(())
    }
}

/// What of a list is told beside mails that are printed.
#[derive(Debug, Serialize)]
struct LeftOut<'a>(&'a CommitList);

impl Answer for LeftOut<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        self.0.show_left_out(page)
    }
}

/// Writes the agent's commits into files, or prints them.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let base = match &args.base {
        Some(revision) => Base::revision(&args.repo, revision).await?,
        None => Base::creation(),
    };
    let progress = Progress::begin(screen, &format!("reading the commits of {} …", args.name));
    let patches = cage.patches(base).await?;
    let options = MailOptions::default().agent_run(args.agent_run);
    let mut series = patches.series(&args.repo, options).await?;
    drop(progress);
    let list = args.hand_out(&mut series, screen).await?;
    if !args.stdout || screen.is_json() {
        screen.answer(&list)?;
    } else {
        screen.aside(&LeftOut(&list));
    }
    Ok(Exit::Ok)
}

impl Args {
    /// Brings each commit to where it is wanted.
    async fn hand_out(&self, series: &mut Series, screen: Screen) -> Result<CommitList, Failure> {
        let dir = (!self.stdout)
            .then(|| self.output_dir.clone().unwrap_or_else(|| Path::new(PATCHES).join(&self.name)));
        let mut commits = Vec::new();
        while let Some(mail) = series.next().await? {
            if self.stdout && !screen.is_json() {
                print(&mail.text)?;
            }
            let file = dir.as_deref().map(|dir| write(dir, commits.len() + 1, &mail)).transpose()?;
            commits.push(Commit {
                id: mail.patch.id().to_owned(),
                subject: mail.patch.subject().to_owned(),
                files: mail.patch.files().len(),
                file,
            });
        }
        Ok(CommitList {
            cage: self.name.clone(),
            dir: dir.filter(|_| !commits.is_empty()),
            commits,
            left_out: series.left_out().iter().map(Refused::from).collect(),
            left_out_more: series.left_out_more(),
        })
    }
}

/// Writes a commit into a file whose name sorts as it came.
fn write(dir: &Path, number: usize, mail: &Mail) -> Result<PathBuf, Failure> {
    let file = dir.join(format!("{number:04}-{}.patch", name_from(mail.patch.subject(), "")));
    let written = fs::create_dir_all(dir).and_then(|()| fs::write(&file, &mail.text));
    written.map_err(|error| Failure::NotWritten { path: file.clone(), error })?;
    Ok(file)
}
