//! Lets Claude Code work in the foreground and prints its stream as it comes.
//!
//! Credentials come from the environment: `ANTHROPIC_API_KEY`, `CLAUDE_CODE_OAUTH_TOKEN`, or the address of a gateway
//! in `ANTHROPIC_BASE_URL`.

use cage_host::{Agent, Cage, CageSpec, Credential, Host, Task, sanitize};
use clap::Parser;

/// Watch an agent work in a cage
#[derive(Debug, Parser)]
struct Options {
    /// File with the task
    task: std::path::PathBuf,
    /// Run this shell script in the cage instead of Claude Code
    #[arg(long)]
    script: Option<String>,
    /// Name of the cage
    #[arg(long, default_value = "foreground-example")]
    name: String,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let task = Task::from_file(options.task);
    let task = match options.script {
        Some(script) => task.agent(Agent::Command(vec!["sh".to_owned(), "-c".to_owned(), script])),
        None => task.credential(Credential::from_host()?),
    };
    let cage = Host::connect().await?.create(CageSpec::empty(options.name).image(options.image)).await?;
    let watched = watch(&cage, task).await;
    cage.destroy().await?;
    Ok(watched?)
}

async fn watch(cage: &Cage, task: Task) -> cage_host::Result<()> {
    let mut run = cage.run(task).await?;
    while let Some(line) = run.next_line().await {
        println!("{}", sanitize(&line?));
    }
    run.finish().await
}
