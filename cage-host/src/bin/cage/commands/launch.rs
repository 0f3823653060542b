//! `cage launch`.

use std::fmt;
use std::path::PathBuf;

use cage_host::{MAX_PROMPT_BYTES, Task};
use serde::Serialize;

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
}

/// What the agent gets beside the task.
#[derive(Debug, clap::Args)]
pub(crate) struct Limits {
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

impl Answer for Launched<'_> {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(GOOD, "launched")?;
        page.line(format_args!(" the agent in {0}\nnext:  cage outbox {0} --poll", self.name))
    }
}

impl Work {
    fn text(&self) -> Result<String, Failure> {
        match (&self.prompt, &self.prompt_file) {
            (Some(text), _) => Ok(text.clone()),
            (None, Some(file)) => read_text(file, MAX_PROMPT_BYTES),
            (None, None) => Ok(String::new()),
        }
    }
}

impl Limits {
    /// Makes a task of a text and these limits, with the credentials of this process's environment.
    pub(super) fn task(&self, text: String) -> Task {
        let mut task = Task::new(text).env_from_host();
        for (name, value) in &self.env {
            task = task.env(name, value);
        }
        if let Some(model) = &self.model {
            task = task.model(model);
        }
        if let Some(turns) = self.max_turns {
            task = task.max_turns(turns);
        }
        match self.max_budget_usd {
            Some(budget) => task.max_budget_usd(budget),
            None => task,
        }
    }
}

/// Starts the agent.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let cage = context.cage(&args.name).await?;
    let task = args.limits.task(args.work.text()?);
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
