//! Prints what an agent has sent so far: `read NAME`.

use cage_host::{Host, Select, sanitize};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: read NAME")?;
    let cage = Host::connect().await?.cage(&name).await?;
    let mut page = cage.outbox().list(Select::all()).await?;
    loop {
        for entry in &page.entries {
            match entry.content.message() {
                Some(message) => println!("{}", sanitize(&message.to_line())),
                None => println!("{}: {}", entry.name, entry.content),
            }
        }
        let Some(rest) = page.rest() else { return Ok(()) };
        page = cage.outbox().list(Select::all().since(rest)).await?;
    }
}
