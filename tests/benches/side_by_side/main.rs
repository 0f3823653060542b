//! This project beside the Python tool that it replaces and beside the least that the same work can cost:
//! `make bench`, or `cargo bench -p cage-tests --bench side_by_side -- [ROW …]` for the rows whose names begin so.
//!
//! Every side is measured in one run on one machine, in turns; a row holds the medians. The rows go to
//! `target/bench/results.json`, the curves to `docs/benchmarks/`.
//!
//! - [`peer`]: the tool that is compared with. [`stage`]: the cages of both.
//! - [`measure`]: sides in turns. [`shell`]: programs of this machine. [`results`]: file and table.
//! - [`mailbox`], [`talk`], [`project`], [`fleet`], [`programs`]: the rows.
//! - [`curves`], [`plot`]: how cost grows, drawn.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot measure has nothing to report"
)]
#![expect(clippy::cast_precision_loss, reason = "counts and bytes here are far below 2^52")]

mod curves;
mod fleet;
mod mailbox;
mod measure;
mod peer;
mod plot;
mod programs;
mod project;
mod results;
mod shell;
mod stage;
mod talk;

use cage_tests::places;

use crate::results::{HEAD, Results};
use crate::stage::Stage;

/// Rows that are measured together, and what measures them.
type Group = (&'static [&'static str], fn(&Stage, &mut Results));

fn main() {
    // `cargo bench` adds an argument of its own.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [command, prefix] = &wanted[..]
        && command == fleet::FOLLOW
    {
        return fleet::follow(prefix);
    }
    let wants =
        |name: &str| wanted.is_empty() || wanted.iter().any(|prefix| name.starts_with(prefix.as_str()));
    let stage = Stage::new();
    let file = places::root().join("target/bench/results.json");
    let mut results = if wanted.is_empty() { Results::default() } else { Results::read(&file) };
    println!("{HEAD}");
    let groups: [Group; 5] = [
        (mailbox::ROWS, mailbox::measure),
        (talk::ROWS, talk::measure),
        (project::ROWS, project::measure),
        (fleet::ROWS, fleet::measure),
        (programs::ROWS, programs::measure),
    ];
    for (rows, measure) in groups {
        if rows.iter().any(|row| wants(row)) {
            measure(&stage, &mut results);
        }
    }
    results.write(&file).unwrap();
    println!("\nwritten to {}", file.display());
    if wants("curves") {
        curves::draw(&stage);
    }
}
