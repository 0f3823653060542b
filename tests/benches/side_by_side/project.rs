//! A project's way into a cage and home again.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use cage_host::{Cage, CageSpec, Changes};

use crate::measure::{Figure, Sides, seconds};
use crate::results::{Results, Row};
use crate::shell::{docker, run, script};
use crate::stage::{Stage, container};

pub(crate) const ROWS: &[&str] =
    &["create_20k", "create_200", "diff_3_of_20k", "diff_3_of_2k", "export_3_of_20k", "destroy", "list"];

/// How often the peer may try a diff until one succeeds, which is then timed.
const PEER_TRIES: u32 = 5;

pub(crate) fn measure(stage: &Stage, results: &mut Results) {
    let (create, created) = create(stage, "20k", 20_000, 3);
    results.add("create_20k", &create);
    let (create_small, _) = self::create(stage, "200", 200, 5);
    results.add("create_200", &create_small);
    let small = Pair::create(stage, "2k", 2_000);
    results.add("diff_3_of_2k", &small.diff(3));
    let large = Pair::create(stage, "20k", 20_000);
    results.add("diff_3_of_20k", &large.diff(3));
    results.add("export_3_of_20k", &large.export(3));
    results.add("list", &list(stage));
    results.add("destroy", &created.destroy(stage).remark("of the cages of `create_20k`"));
}

/// The cages that were measured while they were created.
///
/// None is destroyed before everything else is measured. ext4 does not give an inode away again within minutes of its
/// deletion, and looks at each of those for every new file: a create just after a destroy takes twice as long.
#[derive(Default)]
struct Created {
    ours: Vec<Cage>,
    peers: Vec<String>,
    /// A cage, and folders in it.
    floors: (String, Vec<String>),
}

fn create(stage: &Stage, name: &str, files: usize, rounds: usize) -> (Row, Created) {
    let dir = stage.tree(&format!("create{name}"), files);
    let peer_dir = stage.tree(&format!("create-peer{name}"), files);
    // The floor unpacks in a cage that is there already.
    let floor_cage = format!("bench-floor-{name}");
    stage.cage(CageSpec::empty(&floor_cage));
    let mut created = Created { floors: (container(&floor_cage), Vec::new()), ..Created::default() };
    let Created { ours, peers, floors: (floor_in, floors) } = &mut created;
    let row = Sides::ours(|| {
        let spec = CageSpec::from_dir(format!("bench-create-{name}-{}", ours.len()), &dir);
        let begun = Instant::now();
        ours.push(stage.cage(spec));
        Ok(begun.elapsed().as_secs_f64())
    })
    .peer(|| {
        let peer_name = format!("bench-peer-create-{name}-{}", peers.len());
        let peer = stage.expect_peer_cage(&peer_name)?;
        peers.push(peer_name.clone());
        seconds(|| peer.create(&peer_name, &peer_dir))
    })
    .floor(|| {
        let folder = format!("/tmp/floor{}", floors.len());
        floors.push(folder.clone());
        seconds(|| unpack(floor_in, &dir, &folder))
    })
    .alternate(rounds, "s")
    .remark("the floor is a plain tar over an exec into a cage that is there");
    (row, created)
}

impl Created {
    fn destroy(mut self, stage: &Stage) -> Row {
        let rounds = self.ours.len();
        let (floor_in, floors) = &mut self.floors;
        Sides::ours(|| {
            let cage = self.ours.pop().ok_or("there are no more")?;
            seconds(|| stage.runtime.block_on(cage.destroy()).map_err(|error| error.to_string()))
        })
        .peer(|| {
            let peer = stage.peer.as_ref().map_err(Clone::clone)?;
            let name = self.peers.pop().ok_or("there are no more")?;
            seconds(|| peer.destroy(&name))
        })
        .floor(|| {
            let folder = floors.pop().ok_or("there are no more")?;
            seconds(|| run(&mut docker(&["exec", floor_in, "rm", "-rf", &folder])))
        })
        .alternate(rounds, "s")
        .remark("the floor removes the files alone")
    }
}

/// Moves a folder into a cage by the plainest means.
fn unpack(container: &str, dir: &Path, folder: &str) -> Result<(), String> {
    let text = format!(
        "tar -C {} -c . | docker exec -i -u trustycage {container} sh -c 'mkdir {folder} && tar -C {folder} -x'",
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
