//! Shows what an agent changed: a list, the lines by language, and each file as text.

use cage_host::Host;
use clap::Parser;

/// Show what changed in a cage
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the cage was created from
    project: String,
    /// Name of the cage
    #[arg(long)]
    name: String,
    /// Show each file line by line
    #[arg(long)]
    text: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let cage = Host::connect().await?.cage(&options.name).await?;
    let changes = cage.diff(&options.project).await?;
    print!("{changes}");
    print!("{}", changes.statistics().await?);
    if options.text {
        for change in &changes {
            print!("{}", changes.unified_text(change).await?);
        }
    }
    Ok(())
}
