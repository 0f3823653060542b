//! Shows the end of an agent's log, and follows it with `--follow`: `logs NAME [--follow]`.

use cage_host::Host;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: logs NAME [--follow]")?;
    let cage = Host::connect().await?.cage(&name).await?;
    for event in cage.log().tail(100).await? {
        println!("{event}");
    }
    if std::env::args().any(|argument| argument == "--follow") {
        let mut log = cage.log().follow();
        while let Some(event) = log.next().await {
            println!("{}", event?);
        }
    }
    Ok(())
}
