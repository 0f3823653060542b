//! `cage launch`.

use std::fmt;
use std::path::{Path, PathBuf};

use cage_host::{Cage, MAX_PROMPT_BYTES, Task};
use serde::Serialize;

use super::auth::{AuthMode, mode_for, sign_in};
use super::follow::{Wait, until_done};
use super::input::{assignment, read_text};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, GOOD, Page, Progress};

/// What reads the messages of a launch in the foreground; `cage outbox` still gets them all.
const FOREGROUND: &str = "launch";

/// Options of `cage launch`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    #[command(flatten)]
    work: Work,
    /// Return once the agent is at work, instead of showing its messages until it is done
    #[arg(long)]
    background: bool,
    /// Do not tell the agent how to send messages
    #[arg(long)]
    no_inject_messaging: bool,
    #[command(flatten)]
    limits: Limits,
}

/// What the agent is to do.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Work {
    /// The task
    #[arg(short, long, value_name = "TEXT")]
    prompt: Option<String>,
    /// File with the task, or - for the standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Only see whether the agent starts
    #[arg(long)]
    test: bool,
    /// Go on with the last task, after a stop or a crash
    #[arg(long)]
    resume: bool,
}

/// What the agent gets beside the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
    /// How the agent signs in; as its cage was created for, or with whatever this environment has, unless given
    #[arg(long, value_enum)]
    auth_mode: Option<AuthMode>,
    /// Environment variable of the agent; credentials are passed on without this
    #[arg(long = "env", value_name = "K=V", value_parser = assignment)]
    env: Vec<(String, String)>,
    /// Model to use
    #[arg(long)]
    model: Option<String>,
    /// End after so many turns
    #[arg(long, value_name = "N")]
    max_turns: Option<u32>,
    /// End when it has cost so much
    #[arg(long, value_name = "USD")]
    max_budget_usd: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Launched<'a> {
    name: &'a str,
    launched: bool,
}

#[derive(Debug, Serialize)]
struct Tried<'a> {
    name: &'a str,
    version: String,
}

impl Answer for Tried<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "the agent starts")?;
        page.line(format_args!(" in {}: {}", self.name, self.version))
    }
}

impl Answer for Launched<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "launched")?;
        page.line(format_args!(" the agent in {0}\nnext:  cage outbox {0} --poll", self.name))
    }
}

impl Work {
    fn task(&self) -> Result<Task, Failure> {
        match (&self.prompt, &self.prompt_file) {
            (Some(text), _) => Ok(Task::new(text)),
            (None, Some(file)) if file == Path::new("-") => Ok(Task::new(read_text(file, MAX_PROMPT_BYTES)?)),
            (None, Some(file)) => Ok(Task::from_file(file)),
            (None, None) => Ok(Task::resume()),
        }
    }
}

impl Limits {
    /// How the agent signs in, where the command line says it.
    pub(super) fn auth_mode(&self) -> Option<AuthMode> {
        self.auth_mode
    }

    /// Adds these limits to a task for a cage, and what it signs in with.
    pub(super) async fn apply(&self, task: Task, cage: &Cage) -> Result<Task, Failure> {
        let mut task = sign_in(task, mode_for(cage, self.auth_mode).await?)?;
        for (name, value) in &self.env {
            task = task.env(name, value);
        }
        if let Some(model) = &self.model {
            task = task.model(model);
        }
        if let Some(turns) = self.max_turns {
            task = task.max_turns(turns);
        }
        Ok(match self.max_budget_usd {
            Some(budget) => task.max_budget_usd(budget),
            None => task,
        })
    }
}

impl Args {
    async fn task(&self, cage: &Cage) -> Result<Task, Failure> {
        let task = self.limits.apply(self.work.task()?, cage).await?;
        Ok(if self.no_inject_messaging { task.without_instructions() } else { task })
    }
}

/// Starts the agent.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    if args.work.test {
        cage.start().await?;
        let version = cage.try_agent().await?;
        screen.answer(&Tried { name: &args.name, version })?;
        return Ok(Exit::Ok);
    }
    let task = args.task(&cage).await?;
    // One that was stopped goes on; one that runs is no error.
    cage.start().await?;
    let progress = Progress::begin(screen, &format!("launching the agent in {} …", args.name));
    cage.launch(task).await?;
    drop(progress);
    if args.background {
        screen.answer(&Launched { name: &args.name, launched: true })?;
        return Ok(Exit::Ok);
    }
    screen.say("the agent works; Ctrl-C stops watching, not the agent");
    let mut follower = cage.outbox().consumer(FOREGROUND).follow().await?;
    let ended = until_done(&mut follower, Wait::forever(), |notice| screen.stream(notice)).await?;
    Ok(ended.exit())
}
