//! Shows what creating a cage would do, then creates it and shows each step.

use cage_host::{CageSpec, Host};
use clap::Parser;

/// Create a cage and tell what happens
#[derive(Debug, Parser)]
struct Options {
    /// Folder that the cage gets a copy of
    project: std::path::PathBuf,
    /// Name of the cage
    #[arg(long, default_value = "progress-example")]
    name: String,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let host = Host::connect().await?;
    let spec = CageSpec::from_dir(options.name, options.project).image(options.image);
    print!("{}", host.plan(&spec).await?);
    let mut creation = host.start_create(spec);
    while let Some(event) = creation.next().await {
        println!("{event}");
    }
    creation.finish().await?.destroy().await?;
    Ok(())
}
