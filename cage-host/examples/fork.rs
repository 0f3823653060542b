//! Keeps the state of a cage in a snapshot and tries two things from there.

use std::path::PathBuf;

use cage_host::{CageSpec, Host};
use clap::Parser;

/// Snapshot a cage and fork it twice
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the first cage gets a copy of
    project: PathBuf,
    /// Name of the first cage
    #[arg(long, default_value = "fork")]
    name: String,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
}

#[tokio::main]
async fn main() -> cage_host::Result<()> {
    let Options { project, name, image } = Options::parse();
    let host = Host::connect().await?;
    let cage = host.create(CageSpec::from_dir(&name, &project).image(image)).await?;
    // Here an agent would work until it comes to a place where it could go on in two ways.
    let snapshot = host.snapshot(&cage, &format!("{name}-before")).await?;
    println!("kept {} as {}", snapshot.cage, snapshot.name);
    for way in ["one", "two"] {
        let try_out = host.fork_snapshot(snapshot.name.as_str(), &format!("{name}-{way}")).await?;
        println!("{} differs in {} files", try_out.name(), try_out.diff(&project).await?.len());
        try_out.destroy().await?;
    }
    host.remove_snapshot(snapshot.name.as_str()).await?;
    cage.destroy().await
}
