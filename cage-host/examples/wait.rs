//! Waits until an agent has completed its task, at most an hour: `wait NAME`.

use std::time::Duration;

use cage_host::message::{Kind, Payload};
use cage_host::{Host, sanitize};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: wait NAME")?;
    let cage = Host::connect().await?.cage(&name).await?;
    let found = cage.outbox().wait_for(Kind::TaskComplete, Duration::from_secs(3_600)).await?;
    let delivery = found.ok_or("it is not complete after an hour")?;
    if let Some(Payload::TaskComplete(done)) = delivery.message().map(|message| &message.payload) {
        println!("exit code {}: {}", done.exit_code, sanitize(&done.summary));
    }
    Ok(())
}
