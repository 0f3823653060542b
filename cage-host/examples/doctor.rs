//! Says whether the engine that the environment means is fit for cages. With `--json`: for programs.

use std::process::ExitCode;

use cage_host::{Verdict, doctor};

#[tokio::main]
async fn main() -> ExitCode {
    let report = doctor().await;
    match std::env::args().nth(1).as_deref() {
        Some("--json") => match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("doctor: {error}"),
        },
        _ => print!("{report}"),
    }
    if report.verdict() == Verdict::Bad { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
