//! A host whose disk is full while changes are read out of a cage and while they are written.
//!
//! The part that meets the full disk is this test program again, where two small disks are mounted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cage_host::{EmbeddedConfig, Error, Host};
use support::{skip, write_tree};

/// Names the folder with everything.
const GROUND: &str = "CAGE_TEST_GROUND";

/// Mounts a disk of 1 MB for temporary files and one for what is exported, below `$1`, and runs the rest there.
const ON_SMALL_DISKS: &str = r#"for disk in temporary target; do
    mount -t tmpfs -o size=1m cage-test "$1/$disk" || exit 99
done
shift; exec "$@""#;

#[test]
fn says_so_and_leaves_nothing_when_the_hosts_disk_is_full() {
    if !rustix::process::geteuid().is_root() {
        return skip("a small disk needs root").unwrap_or_default();
    }
    let ground = tempfile::tempdir().unwrap();
    for folder in ["temporary", "target", "cages"] {
        fs::create_dir(ground.path().join(folder)).unwrap();
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ON_SMALL_DISKS, "sh"]).arg(ground.path());
    command.arg(env::current_exe().unwrap()).args(["on_small_disks", "--exact", "--ignored"]);
    command.env(GROUND, ground.path()).env("TMPDIR", ground.path().join("temporary"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{output:?}");
}

#[tokio::test]
#[ignore = "it is run by the other test, where the disks are small"]
async fn on_small_disks() {
    let ground = PathBuf::from(env::var_os(GROUND).unwrap());
    let [temporary, target, cages] = ["temporary", "target", "cages"].map(|folder| ground.join(folder));
    let host = Host::embedded(&EmbeddedConfig::new(&cages, &cages)).unwrap();
    // Not below a small disk, as a cage's own disk is not the host's.
    let cage = host.create(cage_host::CageSpec::empty("demo")).await.unwrap();
    let inside = cages.join("isolated-dev-demo/home/project");
    write_tree(&inside, &[("new", "new"), ("large", &"x".repeat(3_000_000))]);

    assert_full(&cage.diff(&target).await.unwrap_err(), "keep files of the cage in");
    cage.stop(Duration::ZERO).await.unwrap();
    assert_full(&cage.salvage(&target).await.unwrap_err(), "keep files of the cage in");
    assert_eq!(names(&temporary), Vec::<String>::new());
    assert_eq!(host.list().await.unwrap().len(), 1);

    cage.start().await.unwrap();
    write_tree(&inside, &[("large", &"x".repeat(700_000))]);
    write_tree(&target, &[("new", "old"), ("filler", &"x".repeat(600_000))]);
    let changes = cage.diff(&target).await.unwrap();
    assert_full(&cage.export(&target, &changes).await.unwrap_err(), "write");
    assert_eq!(names(&target), ["filler", "new"]);
    assert_eq!(fs::read_to_string(target.join("new")).unwrap(), "old", "nothing is half exported");
    fs::remove_file(target.join("filler")).unwrap();
    cage.export(&target, &changes).await.unwrap();
    assert_eq!(names(&target), ["large", "new"]);
    cage.destroy().await.unwrap();
}

fn assert_full(error: &Error, operation: &str) {
    match error {
        Error::Io(error) if error.source.kind() == ErrorKind::StorageFull => {
            assert!(error.operation.contains(operation), "{error}");
        }
        other => panic!("not a full disk: {other:?}"),
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
