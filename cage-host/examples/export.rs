//! Brings home what an agent changed, as carefully as one likes.

use cage_host::{DiffOptions, ExportOptions, Host};
use clap::Parser;

/// Write what changed in a cage into its project
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the cage was created from
    project: String,
    /// Name of the cage
    #[arg(long)]
    name: String,
    /// Write into another folder
    #[arg(long)]
    output: Option<String>,
    /// Paths of the project; all that changed without any
    #[arg(long)]
    only: Vec<String>,
    /// Delete what the agent deleted
    #[arg(long)]
    mirror: bool,
    /// Write files too that tools run by themselves
    #[arg(long)]
    agent_run: bool,
    /// Look into environments, packages and caches too
    #[arg(long)]
    protected: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let cage = Host::connect().await?.cage(&options.name).await?;
    let looked = DiffOptions::default().protected(options.protected);
    let changes = cage.diff_with(&options.project, looked).await?;
    let mut allowed = ExportOptions::default().delete(options.mirror).agent_run(options.agent_run);
    if !options.only.is_empty() {
        allowed = allowed.only(options.only);
    }
    let target = options.output.unwrap_or(options.project);
    let export = cage.export_with(target, &changes, allowed).await?;
    println!("{} written ({} bytes), {} deleted", export.written.len(), export.bytes, export.deleted.len());
    for conflict in &export.conflicts {
        println!("conflict: {conflict}");
    }
    for left_out in &export.left_out {
        println!("left out: {}: {}", left_out.path, left_out.reason);
    }
    Ok(())
}
