//! Says what an agent is doing, why, and what to do about it: `status NAME`.

use cage_host::Host;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: status NAME")?;
    let cage = Host::connect().await?.cage(&name).await?;
    let diagnosis = cage.diagnose().await?;
    println!("{diagnosis}");
    if let Some(spent) = diagnosis.status.spent {
        println!(
            "{:.4} USD and {} tokens in {} turns",
            spent.cost_usd, spent.tokens.output_tokens, spent.turns
        );
    }
    Ok(())
}
