//! Drives the interactive agent of a cage: types each prompt, waits for the end of its turn, prints what the agent
//! said. The agent goes on running afterwards, so that a person can attach to it.
//!
//! Credentials come from the environment: `ANTHROPIC_API_KEY`, `CLAUDE_CODE_OAUTH_TOKEN`, or the address of a gateway
//! in `ANTHROPIC_BASE_URL`.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use cage_host::{Host, InteractiveAgent};
use clap::Parser;

/// Type prompts into the interactive agent of a cage
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Name of a cage that exists
    #[arg(long)]
    pub(crate) name: String,
    /// Longest time for one turn
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    pub(crate) timeout: u64,
    /// What the agent is asked, one after the other
    #[arg(required = true)]
    pub(crate) prompts: Vec<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let agent = InteractiveAgent::new().env_from_host();
    match run(&Options::parse(), agent, |line| println!("{line}")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interactive: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does it, and hands over each line that is to be printed.
pub(crate) async fn run(
    options: &Options,
    agent: InteractiveAgent,
    mut print: impl FnMut(String),
) -> Result<(), Box<dyn Error>> {
    let cage = Host::connect().await?.cage(&options.name).await?;
    let interactive = cage.interactive();
    interactive.start(&agent).await?;
    for prompt in &options.prompts {
        let turn = interactive.prompt(prompt, Duration::from_secs(options.timeout)).await?;
        print(format!("[{:.1} s] {}", turn.duration().as_secs_f64(), turn.last_message()));
    }
    Ok(())
}
