//! Many cages at once: each with an agent that sends, a follower, an export.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::time::{Duration, Instant};

use cage_host::{Agent, CageSpec, Network, Task};
use futures_util::future::join_all;
use support::numbers::expect;
use support::{Stage, image, write_tree};
use tokio::sync::Barrier;
use tokio::time::timeout;

/// Cages at once unless `CAGE_CROWD` asks for another number.
const CAGES: usize = 30;

/// Messages of each agent.
const MESSAGES: u32 = 10;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(300);

/// Memory that the host program may use on top for each cage, in KiB.
const KIB_PER_CAGE: u64 = 1_024;

/// An agent that sends its numbers and leaves a file.
const AGENT: &str = r#"i=1; while [ "$i" -le 10 ]; do cage-send progress_update --status "$i" >/dev/null; i=$((i+1)); done
printf done > made"#;

/// What this process has in memory, in KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn life(stage: &Stage, number: usize, all_there: &Barrier) {
    let project = tempfile::tempdir().unwrap();
    write_tree(project.path(), &[("file", "x")]);
    let name = stage.name(&format!("crowd-{number}"));
    let spec = CageSpec::from_dir(&name, project.path()).image(image()).network(Network::None);
    let cage = stage.host.create(spec.memory_bytes(64 << 20)).await.unwrap();
    let mut follower = cage.outbox().follow().await.unwrap();
    all_there.wait().await;
    let agent = Agent::Command(vec!["sh".to_owned(), "-c".to_owned(), AGENT.to_owned()]);
    cage.launch(Task::new("send your numbers").agent(agent)).await.unwrap();
    expect(&mut follower, 1, MESSAGES).await;
    // The agent's last act comes behind its last message.
    let made = async {
        loop {
            let changes = cage.diff(project.path()).await.unwrap();
            if !changes.is_empty() {
                return changes;
            }
        }
    };
    let changes = made.await;
    cage.export(project.path(), &changes).await.unwrap();
    assert_eq!(std::fs::read_to_string(project.path().join("made")).unwrap(), "done");
    drop(follower);
    cage.destroy().await.unwrap();
    assert!(!stage.has(&name).await);
}

#[tokio::test]
async fn runs_many_cages_at_once_and_loses_nothing() {
    let Some(stage) = Stage::docker().await else { return };
    let cages = std::env::var("CAGE_CROWD").map_or(CAGES, |cages| cages.parse().unwrap());
    let (begun, before) = (Instant::now(), resident_kib());
    let all_there = Barrier::new(cages);
    let lives = join_all((0..cages).map(|number| life(&stage, number, &all_there)));
    timeout(PATIENCE, lives).await.expect("they do not end");
    let grown = resident_kib().saturating_sub(before);
    eprintln!("{cages} cages in {:?}, {grown} KiB more", begun.elapsed());
    assert!(grown <= KIB_PER_CAGE * cages as u64, "{grown} KiB for {cages} cages");
}
