//! Says what every cage of this machine is doing.

use std::time::Duration;

use cage_host::Host;

#[tokio::main]
async fn main() -> cage_host::Result<()> {
    let host = Host::connect().await?;
    for look in host.statuses(Duration::from_secs(10)).await? {
        match look.status {
            Ok(status) => println!("{}: {}", look.cage.name, status.activity),
            Err(error) => println!("{}: {error}", look.cage.name),
        }
    }
    Ok(())
}
