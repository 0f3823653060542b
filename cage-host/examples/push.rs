//! Brings what changed on the host into a cage, and removes caches there.

use cage_host::{Host, PushOptions, TidyOptions};
use clap::Parser;

/// Bring changes of the host into a cage
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the cage was created from
    project: String,
    /// Name of the cage
    #[arg(long)]
    name: String,
    /// Replace also what the agent changed
    #[arg(long)]
    overwrite: bool,
    /// Remove caches in the cage
    #[arg(long)]
    tidy: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let cage = Host::connect().await?.cage(&options.name).await?;
    let allowed = PushOptions::default().overwrite(options.overwrite);
    let push = cage.push_with(options.project, &allowed).await?;
    for path in &push.written {
        println!("wrote {path}");
    }
    for conflict in &push.conflicts {
        println!("conflict: {conflict}");
    }
    if options.tidy {
        let tidied = cage.tidy(TidyOptions::default()).await?;
        println!("removed {} caches", tidied.folders.len());
    }
    Ok(())
}
