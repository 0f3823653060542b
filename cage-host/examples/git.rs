//! Creates a cage from a repository, which is cloned inside the cage and nowhere else.

use cage_host::{CageSpec, GitRepo, Host};
use clap::Parser;

/// Create a cage from a git repository
#[derive(Debug, Parser)]
struct Options {
    /// Address of the repository; ssh addresses become https
    repository: String,
    /// Branch or tag to check out
    #[arg(long)]
    branch: Option<String>,
    /// Name of the cage
    #[arg(long, default_value = "git-example")]
    name: String,
    /// Image of the container
    #[arg(long, default_value = cage_host::DEFAULT_IMAGE)]
    image: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    let mut repo = GitRepo::new(&options.repository);
    if let Some(branch) = options.branch {
        repo = repo.branch(branch);
    }
    let host = Host::connect().await?;
    let cage = host.create(CageSpec::from_git(options.name, repo).image(options.image)).await?;
    // Everything in the cage is new to an empty folder.
    let empty = tempfile::tempdir()?;
    let shown = cage.diff(empty.path()).await.map(|changes| print!("{changes}"));
    cage.destroy().await?;
    Ok(shown?)
}
