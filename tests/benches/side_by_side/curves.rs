//! How cost grows with what is kept, with the project, and with the number of cages.

use std::fs;
use std::process::Command;
use std::time::Instant;

use cage_host::CageSpec;
use cage_proto::mailbox::Mailbox;
use cage_tests::cage_dir::TestDir;
use cage_tests::places::{self, program};

use crate::mailbox::write_kept;
use crate::measure::{percentile, seconds};
use crate::plot::{Curve, Plot};
use crate::programs::SENT;
use crate::shell::run;
use crate::stage::Stage;

const KEPT: [usize; 6] = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
const FILES: [usize; 5] = [200, 1_000, 5_000, 20_000, 50_000];
const CAGES: [usize; 5] = [1, 3, 10, 30, 100];

/// Measurements of each point.
const ROUNDS: usize = 9;
const PROJECT_ROUNDS: usize = 2;

pub(crate) fn draw(stage: &Stage) {
    let folder = places::root().join("docs/benchmarks");
    fs::create_dir_all(&folder).unwrap();
    for (name, plot) in [("mailbox", mailbox(stage)), ("project", project(stage)), ("cages", cages(stage))] {
        let file = folder.join(format!("{name}.svg"));
        fs::write(&file, plot.to_svg()).unwrap();
        println!("drawn: {}", file.display());
        for curve in &plot.curves {
            let points: Vec<_> = curve.points.iter().map(|(x, y)| format!("{x}: {y:.3}")).collect();
            println!("  {}: {}", curve.name, points.join(", "));
        }
    }
}

fn median(rounds: usize, mut measure: impl FnMut() -> f64) -> f64 {
    percentile((0..rounds).map(|_| measure()).collect(), 50).unwrap()
}

fn mailbox(stage: &Stage) -> Plot {
    let (mut send, mut minimal) = (Vec::new(), Vec::new());
    for kept in KEPT {
        let temp = tempfile::tempdir().unwrap();
        let cage = TestDir::at(temp.path());
        write_kept(&cage.folder(Mailbox::Outbox), kept);
        assert!(cage.send("first").status.success());
        let folder = cage.folder(Mailbox::Outbox);
        let ours =
            || seconds(|| run(Command::new(program("cage-send")).args(cage.arguments(&SENT)))).unwrap() * 1e3;
        send.push((kept as f64, median(ROUNDS, ours)));
        let mut number = 0;
        let least = || {
            number += 1;
            let mut command = Command::new(&stage.minimal);
            command.arg(&folder).args([&format!("name-{number}"), "text"]);
            seconds(|| run(&mut command)).unwrap() * 1e3
        };
        minimal.push((kept as f64, median(ROUNDS, least)));
    }
    Plot {
        title: "Sending, by the messages that are kept",
        x: "messages kept",
        y: "ms",
        curves: vec![
            Curve { name: "cage-send", points: send },
            Curve { name: "minimal program", points: minimal },
        ],
    }
}

/// Nothing is destroyed before the last is created, for the reason given at [`project`](crate::project).
fn project(stage: &Stage) -> Plot {
    let (mut create, mut diff, mut destroy) = (Vec::new(), Vec::new(), Vec::new());
    let mut created = Vec::new();
    for files in FILES {
        let dir = stage.tree(&format!("curve{files}"), files);
        let mut cages = Vec::new();
        let took = median(PROJECT_ROUNDS, || {
            let spec = CageSpec::from_dir(format!("bench-curve-{files}-{}", cages.len()), &dir);
            let begun = Instant::now();
            cages.push(stage.cage(spec));
            begun.elapsed().as_secs_f64()
        });
        create.push((files as f64, took));
        let diffs = cages.iter().map(|cage| seconds(|| blocking(stage, cage.diff(&dir))).unwrap());
        diff.push((files as f64, percentile(diffs.collect(), 50).unwrap()));
        created.push((files as f64, cages));
    }
    for (files, cages) in created {
        let destroys = cages.into_iter().map(|cage| seconds(|| blocking(stage, cage.destroy())).unwrap());
        destroy.push((files, percentile(destroys.collect(), 50).unwrap()));
    }
    let curves = [("create", create), ("destroy", destroy), ("diff", diff)];
    Plot {
        title: "A cage, by the files of its project",
        x: "files",
        y: "s",
        curves: curves.into_iter().map(|(name, points)| Curve { name, points }).collect(),
    }
}

fn blocking<T>(stage: &Stage, call: impl Future<Output = cage_host::Result<T>>) -> Result<T, String> {
    stage.runtime.block_on(call).map_err(|error| error.to_string())
}

fn cages(stage: &Stage) -> Plot {
    let mut list = Vec::new();
    let mut there = 0;
    for cages in CAGES {
        for number in there..cages {
            stage.cage(CageSpec::empty(format!("bench-list-{number}")).memory_bytes(64 << 20).cpus(0.1));
        }
        there = cages;
        let took = || {
            seconds(|| stage.runtime.block_on(stage.host.list()).map_err(|e| e.to_string())).unwrap() * 1e3
        };
        list.push((cages as f64, median(ROUNDS, took)));
    }
    Plot {
        title: "Listing all cages, by their number",
        x: "cages",
        y: "ms",
        curves: vec![Curve { name: "list", points: list }],
    }
}
