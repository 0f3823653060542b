//! Lists every cage and every snapshot of this machine, and removes what killed programs left behind.

use cage_host::Host;
use clap::Parser;

/// List cages and snapshots, and clean up
#[derive(Debug, Parser)]
struct Options {
    /// Remove what was never finished
    #[arg(long)]
    gc: bool,
}

#[tokio::main]
async fn main() -> cage_host::Result<()> {
    let options = Options::parse();
    let host = Host::connect().await?;
    for cage in host.list_with_sizes().await? {
        let age = cage.created.elapsed().unwrap_or_default().as_secs() / 60;
        let size = cage.bytes.unwrap_or_default() / 1_000_000;
        println!("{} from {}: {}, {age} minutes old, {size} MB", cage.name, cage.image, cage.state);
    }
    for snapshot in host.snapshots().await? {
        println!("{} of {}: a snapshot", snapshot.name, snapshot.cage);
    }
    if options.gc {
        for name in host.gc().await? {
            println!("{name}: removed, it was never finished");
        }
    }
    Ok(())
}
