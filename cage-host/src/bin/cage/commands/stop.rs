//! `cage stop` and `cage start`.

use std::fmt;
use std::time::Duration;

use cage_host::{Cage, DEFAULT_GRACE};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, Page, Progress};

/// Options of `cage stop`.
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    /// Name of the cage
    name: String,
    /// How long the agent may take to end; 0 ends everything at once
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_GRACE.as_secs())]
    grace: u64,
}

/// Options of `cage start`.
#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// Name of the cage
    name: String,
}

#[derive(Debug, Serialize)]
struct State {
    name: String,
    status: String,
}

impl Answer for State {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("{} is {}", self.name, self.status))
    }
}

/// Stops a cage.
pub(crate) async fn stop(args: &StopArgs, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    let progress = Progress::begin(context.screen(), &format!("stopping {} …", args.name));
    cage.stop(Duration::from_secs(args.grace)).await?;
    drop(progress);
    tell(&cage, context).await
}

/// Starts a cage.
pub(crate) async fn start(args: &StartArgs, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    cage.start().await?;
    tell(&cage, context).await
}

async fn tell(cage: &Cage, context: &Context) -> Result<Exit, Failure> {
    let (name, status) = (cage.name().to_string(), cage.state().await?.to_string());
    context.screen().answer(&State { name, status })?;
    Ok(Exit::Ok)
}
