//! Gives a task to an agent in a cage, answers its question, asks for one revision and brings the changes home.
//!
//! Credentials come from the environment: `ANTHROPIC_API_KEY`, `CLAUDE_CODE_OAUTH_TOKEN`, or the address of a gateway
//! in `ANTHROPIC_BASE_URL`. Ctrl-C and SIGTERM remove the cage.

use std::error::Error;
use std::path::PathBuf;
use std::pin::pin;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use cage_host::message::{Payload, TaskRevision};
use cage_host::{Cage, CageSpec, Content, Delivery, EmbeddedConfig, Host, Task, sanitize};
use clap::Parser;
use tokio::signal::{ctrl_c, unix::SignalKind, unix::signal};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Longest wait for the agent's next message.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Delegate a task to an agent in a cage
#[derive(Debug, Parser)]
struct Options {
    /// Name of the cage
    #[arg(long, default_value = "delegate")]
    name: String,
    /// Folder that the agent gets a copy of
    #[arg(long, default_value = ".")]
    project: PathBuf,
    /// What the agent is to do
    #[arg(long)]
    task: String,
    /// What to ask for when it is done
    #[arg(long)]
    revision: String,
    /// Folder with the files that the agent may ask for
    #[arg(long)]
    answers: PathBuf,
    /// Folder that the changed files are written to
    #[arg(long)]
    output: PathBuf,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
    /// Use this folder and plain processes instead of Docker: NO ISOLATION
    #[arg(long, value_name = "DIR", requires = "programs")]
    embedded: Option<PathBuf>,
    /// Folder of `cage-send`, `cage-poll` and the agent, with --embedded
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run(&Options::parse()).await else { return ExitCode::SUCCESS };
    eprintln!("delegate: {error}");
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Outcome {
    let mut clock = Clock(Instant::now());
    let host = match (&options.embedded, &options.programs) {
        (Some(folder), Some(programs)) => Host::embedded(&EmbeddedConfig::new(folder, programs))?,
        _ => Host::connect().await?,
    };
    let spec = CageSpec::from_dir(&options.name, &options.project).image(&options.image);
    let mut interrupt = pin!(interrupted());
    let cage = tokio::select! {
        biased; // A signal is listened for before anything is made.
        // A creation that was given up is undone in the background.
        ended = &mut interrupt => { host.settled().await; return ended }
        cage = host.create(spec) => cage?,
    };
    clock.step(&format!("created cage {} with {} files", cage.name(), cage.arrival().files));
    let told = tokio::select! { told = tell(&cage, options, &mut clock) => told, ended = interrupt => ended };
    cage.destroy().await?;
    clock.step("destroyed the cage");
    told?;
    println!("delegate: ok — the changed files are in {}", options.output.display());
    Ok(())
}

/// Tells the story from the launch to the export.
async fn tell(cage: &Cage, options: &Options, clock: &mut Clock) -> Outcome {
    let mut task =
        Task::new(&options.task).env_from_host().env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    if options.embedded.is_some() {
        // Claude Code refuses to run as root outside a sandbox, and here is none.
        task = task.env("IS_SANDBOX", "1");
    }
    let mut outbox = cage.outbox().follow().await?;
    cage.launch(task).await?;
    clock.step("launched the agent");
    let mut revisions = vec![&options.revision];
    loop {
        let next =
            tokio::time::timeout(PATIENCE, outbox.next()).await.map_err(|_| "the agent fell silent")?;
        let delivery = next.ok_or("the outbox ended")??;
        clock.step(&format!("received {}", describe(&delivery)));
        match delivery.message().map(|message| &message.payload) {
            Some(Payload::InfoRequest(request)) => {
                let answer = cage.inbox().answer(request, &options.answers).await?;
                clock.step(&format!("answered: sent {:?}, refused {:?}", answer.sent, answer.refused));
            }
            Some(Payload::TaskComplete(_)) => {
                let Some(revision) = revisions.pop() else { break };
                cage.inbox().send(TaskRevision::new(revision)).await?;
                clock.step("sent a revision");
            }
            Some(Payload::Error(error)) if !error.recoverable => return Err(sanitize(&error.message).into()),
            _ => {}
        }
        delivery.ack().await?;
    }
    let changes = cage.diff(&options.project).await?;
    clock.step(&format!("found {} changed files", changes.len()));
    for change in &changes {
        print!("{}", changes.unified_text(change).await?);
    }
    let export = cage.export(&options.output, &changes).await?;
    clock.step(&format!("exported {} files, left out {}", export.written.len(), export.left_out.len()));
    Ok(())
}

/// Shows a delivery on one line; everything in it was written by the agent.
fn describe(delivery: &Delivery) -> String {
    match delivery.content() {
        Content::Message(message) => sanitize(&message.to_line()),
        other => format!("{} {other:?}", delivery.name()),
    }
}

/// Waits for Ctrl-C or SIGTERM.
async fn interrupted() -> Outcome {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! { pressed = ctrl_c() => pressed?, _ = terminated.recv() => {} }
    Err("interrupted; the cage was removed with everything in it, run this again to start anew".into())
}

/// Prints each step with the time that it took.
struct Clock(Instant);

impl Clock {
    fn step(&mut self, what: &str) {
        println!("[{:7.2} s] {what}", self.0.elapsed().as_secs_f64());
        self.0 = Instant::now();
    }
}
