//! Serves a script to the real Claude Code CLI until it is told to stop: what `make demo` uses without a credential.

use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::process::ExitCode;

use cage_tests::scripted_api::{Script, ScriptedApi};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

/// Plays a script as a Messages API; the first line it prints is its base URL. SIGTERM or SIGINT ends it.
///
/// Exits 0 when every turn was played and none was missing, 1 otherwise.
#[derive(Parser)]
struct Args {
    /// The script, a JSON file.
    script: PathBuf,

    /// The address to listen on; the port is free to choose.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    listen: IpAddr,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scripted-api: {}", with_sources(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let script = Script::from_file(&args.script)?;
    // Before the first line, so that whoever reads it may stop the program at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let api = ScriptedApi::start(args.listen, script)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.listen))?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{}", api.base_url())?;
    stdout.flush()?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    verdict(&api)
}

/// Whether the agent played the script exactly to its end.
fn verdict(api: &ScriptedApi) -> Result<(), Box<dyn Error>> {
    if api.overrun() {
        return Err("the agent asked for more turns than the script has".into());
    }
    match api.unplayed() {
        0 => Ok(()),
        turns => Err(format!("the agent left {turns} turn(s) of the script unplayed").into()),
    }
}

/// The message of an error and of everything behind it.
fn with_sources(error: &dyn Error) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}
