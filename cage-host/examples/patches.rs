//! Shows the commits that an agent made, and makes a branch of the host's repository of them.

use cage_host::{Base, BranchOptions, Host};
use clap::Parser;

/// Put the commits of a cage on a branch
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the cage was created from, in a git repository
    project: String,
    /// Name of the cage
    #[arg(long)]
    name: String,
    /// Name of the new branch; without it the commits are only shown
    #[arg(long)]
    branch: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let cage = Host::connect().await?.cage(&options.name).await?;
    let patches = cage.patches(Base::creation()).await?;
    for patch in &patches {
        println!("{}", patches.unified_text(patch).await?);
    }
    if let Some(name) = options.branch {
        let branch = patches.branch(options.project, &BranchOptions::new(name)).await?;
        println!("{} commits on {}", branch.commits, branch.name);
        for left_out in &branch.left_out {
            println!("left out: {}: {}", left_out.path, left_out.reason);
        }
    }
    Ok(())
}
