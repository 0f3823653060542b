//! What an engine is told to do with a container, and what happens when it does not answer.

#![expect(clippy::unwrap_used, reason = "in a test a panic is a failure with a line number")]

mod support;

use std::process::Command;

use cage_host::{Cage, CageSpec, EngineError, Error, Host, Network};
use support::{Stage, image};
use tokio::net::UnixListener;

/// Asks the engine about a container in its own template language.
fn inspect(cage: &Cage, template: &str) -> String {
    let name = format!("isolated-dev-{}", cage.name());
    let output = Command::new("docker").args(["inspect", "--format", template, &name]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn takes_every_right_from_a_container_and_gives_it_limits() {
    let Some(stage) = Stage::docker().await else { return };
    let spec = CageSpec::empty(stage.name("rights")).image(image()).memory_bytes(1 << 30).cpus(0.5).pids(200);
    let cage = stage.host.create(spec.env("COLOUR", "blue").label("team", "a")).await.unwrap();
    let expected = [
        ("{{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}} {{.HostConfig.Privileged}}", "[ALL] [] false"),
        ("{{.HostConfig.SecurityOpt}} {{.HostConfig.Init}}", "[no-new-privileges] true"),
        ("{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}", "1073741824 1073741824"),
        ("{{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}", "500000000 200"),
        ("{{.HostConfig.Binds}} {{.Mounts}} {{.HostConfig.PortBindings}}", "[] [] map[]"),
        ("{{.Config.User}}", "trustycage"),
        ("{{index .Config.Labels \"dev.cage.managed\"}} {{index .Config.Labels \"team\"}}", "true a"),
    ];
    for (template, value) in expected {
        assert_eq!(inspect(&cage, template), value, "{template}");
    }
    let status = stage.agent(
        &cage,
        &[
            "sh",
            "-c",
            "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; echo $COLOUR",
        ],
    );
    let words: Vec<_> = status.split_whitespace().collect();
    let none = "0000000000000000";
    assert_eq!(
        words,
        ["1000", "CapEff:", none, "CapBnd:", none, "NoNewPrivs:", "1", "Seccomp:", "2", "blue"]
    );
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn holds_no_setuid_program_that_the_agent_can_reach() {
    let Some(stage) = Stage::docker().await else { return };
    let cage = stage.host.create(CageSpec::empty(stage.name("setuid")).image(image())).await.unwrap();
    // Folders that the agent may not enter make `find` fail.
    let find = "find / -xdev -type f -perm /6000 2>/dev/null; find /usr/bin -name tmux";
    assert_eq!(stage.agent(&cage, &["sh", "-c", find]), "/usr/bin/tmux\n");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn gives_a_cage_without_a_network_nothing_but_itself() {
    let Some(stage) = Stage::docker().await else { return };
    let spec = CageSpec::empty(stage.name("network")).image(image()).network(Network::None);
    let cage = stage.host.create(spec).await.unwrap();
    assert_eq!(stage.agent(&cage, &["ls", "/sys/class/net"]).trim(), "lo");
    cage.destroy().await.unwrap();
}

#[tokio::test]
async fn says_where_nothing_answers() {
    let error = Host::connect_to("unix:///no/such/socket").await.unwrap_err();
    assert!(
        matches!(&error, Error::Engine(EngineError::Unreachable { endpoint, .. }) if endpoint == "unix:///no/such/socket"),
        "{error}"
    );
}

/// Time is paused: the deadline passes at once when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn gives_up_on_an_engine_that_accepts_and_never_answers() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("stuck.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let stuck = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    let error = Host::connect_to(&format!("unix://{}", socket.display())).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 10 s"), "{error}");
    stuck.abort();
}
