//! A project's way into a cage and home again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use cage_host::{Cage, CageSpec, Changes};
use cage_tests::places;

use crate::measure::{Figure, Sides, seconds};
use crate::results::{Results, Row};
use crate::shell::{docker, run, script};
use crate::stage::{Stage, container};

pub(crate) const ROWS: &[&str] =
    &["create_20k", "create_200", "diff_3_of_20k", "diff_3_of_2k", "export_3_of_20k", "destroy", "list"];

/// How often the peer may try a diff until one succeeds, which is then timed.
const PEER_TRIES: u32 = 5;

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    let (create, destroy) = create(stage, "20k", 20_000, 3);
    results.add("create_20k", &create);
    results.add("destroy", &destroy.remark("of the cages of `create_20k`"));
    results.add("create_200", &create_small(stage));
    let small = Pair::create(stage, "2k", 2_000);
    results.add("diff_3_of_2k", &small.diff(3));
    let large = Pair::create(stage, "20k", 20_000);
    results.add("diff_3_of_20k", &large.diff(3));
    results.add("export_3_of_20k", &large.export(3));
    results.add("list", &list(stage));
}

fn create_small(stage: &Stage) -> Row {
    create(stage, "200", 200, 5).0
}

/// Creates and destroys; both are measured.
fn create(stage: &Stage, name: &str, files: usize, rounds: usize) -> (Row, Row) {
    let dir = stage.tree(&format!("create{name}"), files);
    let peer_dir = stage.tree(&format!("create-peer{name}"), files);
    let (ours, peers) = (format!("bench-create-{name}"), format!("bench-peer-create-{name}"));
    // The floor unpacks in a cage that is there already.
    let floor_in = format!("bench-floor-{name}");
    stage.cage(CageSpec::empty(&floor_in));
    let mut destroyed = (Vec::new(), Vec::new(), Vec::new());
    let (ours_gone, peers_gone, floor_gone) = (&mut destroyed.0, &mut destroyed.1, &mut destroyed.2);
    let created = Sides::ours(|| {
        let create = stage.host.create(CageSpec::from_dir(&ours, &dir).image(places::image()));
        let begun = Instant::now();
        let cage = stage.runtime.block_on(create).map_err(|error| error.to_string())?;
        let took = begun.elapsed().as_secs_f64();
        ours_gone
            .push(seconds(|| stage.runtime.block_on(cage.destroy()).map_err(|error| error.to_string()))?);
        Ok(took)
    })
    .peer(|| {
        let peer = stage.peer.as_ref().map_err(Clone::clone)?;
        let took = seconds(|| peer.create(&peers, &peer_dir))?;
        peers_gone.push(seconds(|| peer.destroy(&peers))?);
        Ok(took)
    })
    .floor(|| {
        let took = seconds(|| unpack(&container(&floor_in), &dir))?;
        floor_gone
            .push(seconds(|| run(&mut docker(&["exec", &container(&floor_in), "rm", "-rf", "/tmp/floor"])))?);
        Ok(took)
    })
    .alternate(rounds, "s")
    .remark("the floor is a plain tar over an exec into a cage that is there");
    let middle = |figures: Vec<f64>| crate::measure::percentile(figures, 50);
    let row = Row {
        ours: middle(destroyed.0),
        peer: middle(destroyed.1),
        floor: middle(destroyed.2),
        unit: "s",
        runs: rounds,
        note: Some("the floor removes the files alone".to_owned()),
    };
    (created, row)
}

/// Moves a folder into a cage by the plainest means.
fn unpack(container: &str, dir: &Path) -> Result<(), String> {
    let text = format!(
        "tar -C {} -c . | docker exec -i -u trustycage {container} sh -c 'mkdir /tmp/floor && tar -C /tmp/floor -x'",
        dir.display()
    );
    run(Command::new("sh").args(["-c", &text])).map(drop)
}

/// The same project in a cage of each side.
struct Pair<'a> {
    stage: &'a Stage,
    files: &'a str,
    cage: Cage,
    dir: PathBuf,
    peer: Result<String, String>,
}

impl<'a> Pair<'a> {
    fn create(stage: &'a Stage, files: &'a str, count: usize) -> Self {
        let dir = stage.tree(&format!("diff{files}"), count);
        let cage = stage.cage(CageSpec::from_dir(format!("bench-diff-{files}"), &dir));
        let peer_dir = stage.tree(&format!("diff-peer{files}"), count);
        let peer = stage.peer_cage(&format!("bench-peer-diff-{files}"), &peer_dir);
        Self { stage, files, cage, dir, peer }
    }

    fn diff(&self, rounds: usize) -> Row {
        let mut round = 0;
        Sides::ours(|| {
            round += 1;
            edit(&self.ours(), round)?;
            seconds(|| self.changes().map(drop))
        })
        .peer({
            let mut round = 0;
            move || {
                round += 1;
                edit(self.peer.as_deref()?, round)?;
                let peer = self.stage.peer.as_ref().map_err(Clone::clone)?;
                // Its copy of the project breaks off now and then.
                let diff = || seconds(|| run(&mut peer.tc(&["diff", &self.peer_name()])));
                (1..PEER_TRIES).fold(diff(), |took, _| took.or_else(|_| diff()))
            }
        })
        .floor(|| seconds(|| script(&self.ours(), "find ~/project -printf '%P %y %s %T@ %m\\n' | tail -n 1")))
        .alternate(rounds, "s")
        .remark("the floor is the listing alone")
    }

    /// Both sides look for what changed and write it, since the peer's export does both.
    fn export(&self, rounds: usize) -> Row {
        let mut round = 100;
        Sides::ours(|| {
            round += 1;
            edit(&self.ours(), round)?;
            seconds(|| {
                let changes = self.changes()?;
                let exported = self.stage.runtime.block_on(self.cage.export(&self.dir, &changes));
                exported.map(drop).map_err(|error| error.to_string())
            })
        })
        .peer({
            let mut round = 100;
            move || {
                round += 1;
                edit(self.peer.as_deref()?, round)?;
                let peer = self.stage.peer.as_ref().map_err(Clone::clone)?;
                seconds(|| run(&mut peer.tc(&["export", &self.peer_name(), "--yes", "--stats"])))
            }
        })
        .alternate(rounds, "s")
        .remark("diff included; the peer with `--stats`, as its users run it")
    }

    fn changes(&self) -> Result<Changes, String> {
        self.stage.runtime.block_on(self.cage.diff(&self.dir)).map_err(|error| error.to_string())
    }

    fn ours(&self) -> String {
        container(&format!("bench-diff-{}", self.files))
    }

    fn peer_name(&self) -> String {
        format!("bench-peer-diff-{}", self.files)
    }
}

/// Changes three files in a cage, as an agent would.
fn edit(container: &str, round: u32) -> Result<(), String> {
    let text = format!(
        "cd ~/project && for part in 000 001 002; do echo 'round {round}' >> part$part/$(ls part$part | head -n 1); done"
    );
    script(container, &text).map(drop)
}

fn list(stage: &Stage) -> Row {
    let ours = || stage.runtime.block_on(stage.host.list()).map(drop).map_err(|error| error.to_string());
    Sides::ours(|| milliseconds_of(ours))
        .peer(|| {
            let peer = stage.peer.as_ref().map_err(Clone::clone)?;
            milliseconds_of(|| run(&mut peer.tc(&["list", "--json"])))
        })
        .floor(|| milliseconds_of(|| run(&mut docker(&["ps", "--all", "--quiet"]))))
        .alternate(7, "ms")
}

fn milliseconds_of<T>(measure: impl FnOnce() -> Result<T, String>) -> Figure {
    seconds(measure).map(|seconds| seconds * 1e3)
}
