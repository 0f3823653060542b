//! Brings home what an agent left in a cage that crashed or was stopped, then destroys the cage.

use std::path::PathBuf;

use cage_host::{Host, sanitize};
use clap::Parser;

/// Salvage what is in a cage that does not run
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the changes are compared with and written to
    project: PathBuf,
    /// Name of the cage
    #[arg(long)]
    name: String,
}

#[tokio::main]
async fn main() -> cage_host::Result<()> {
    let options = Options::parse();
    let cage = Host::connect().await?.cage(&options.name).await?;
    let salvage = cage.salvage(&options.project).await?;
    println!("the cage is {}; these changes were in it:\n{}", salvage.state, salvage.changes);
    for sent in salvage.outbox.iter().filter_map(|sent| Some((&sent.name, sent.content.message()?))) {
        println!("{}: {}", sent.0, sanitize(&sent.1.to_line()));
    }
    let export = cage.export(&options.project, &salvage.changes).await?;
    println!("wrote {} files", export.written.len());
    cage.destroy().await
}
