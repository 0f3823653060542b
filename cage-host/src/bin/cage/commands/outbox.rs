//! `cage outbox`.

use std::time::Duration;

use super::follow::{Ended, Wait, until_done};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Options of `cage outbox`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Show all messages, not only new ones
    #[arg(short, long)]
    all: bool,
    /// Wait until the agent is done, showing its messages as they come
    #[arg(long)]
    poll: bool,
    /// Longest wait with --poll, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    timeout: u64,
    /// Accepted for scripts: messages are pushed
    #[arg(long, value_name = "SECONDS", hide = true)]
    interval: Option<u64>,
    /// Accepted for scripts: messages are pushed
    #[arg(long, value_name = "SECONDS", hide = true)]
    max_interval: Option<u64>,
    /// Do not look into the cage when the time is up
    #[arg(long)]
    no_diagnose: bool,
}

/// Reads messages.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    if args.max_interval.is_some_and(|longest| longest < args.interval.unwrap_or(0)) {
        return Err(Failure::Usage("--max-interval is below --interval".to_owned()));
    }
    poll(args, context).await
}

/// Waits until the agent is done.
async fn poll(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let mut follower = context.cage(&args.name).await?.outbox().follow().await?;
    let wait = Wait::at_most(Duration::from_secs(args.timeout));
    match until_done(&mut follower, wait, |notice| screen.stream(notice)).await? {
        Ended::TimedOut => {
            Err(Failure::TimedOut(format!("nothing that ends the task came within {} s", args.timeout)))
        }
        ended => Ok(ended.exit()),
    }
}
