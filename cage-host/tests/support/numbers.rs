//! An agent that sends numbers, and a consumer that counts along: what is lost, repeated or out of order shows at once.

use std::process::Command;
use std::time::Duration;

use cage_host::message::Payload;
use cage_host::{Cage, Error, Follower};
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the numbers from `$1` to `$2` as they are, one message each.
const SEND: &str = r#"i=$1; while [ "$i" -le "$2" ]; do cage-send progress_update --status "$i" >/dev/null; i=$((i+1)); done"#;

/// Calls `docker`, for another engine than the machine's own if one is named, and expects success.
pub(crate) fn docker(engine: Option<&str>, arguments: &[&str]) {
    let mut command = Command::new("docker");
    if let Some(engine) = engine {
        command.args(["--host", engine]);
    }
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

/// What a cage's container is called.
pub(crate) fn container(cage: &Cage) -> String {
    format!("isolated-dev-{}", cage.name())
}

/// Lets the agent send numbers and waits until it has.
pub(crate) fn send(engine: Option<&str>, cage: &Cage, from: u32, to: u32) {
    let (from, to) = (from.to_string(), to.to_string());
    docker(engine, &["exec", &container(cage), "sh", "-c", SEND, "sh", &from, &to]);
}

/// Lets the agent send numbers while the test goes on.
pub(crate) fn send_meanwhile(engine: Option<&str>, cage: &Cage, from: u32, to: u32) {
    let (from, to) = (from.to_string(), to.to_string());
    docker(engine, &["exec", "--detach", &container(cage), "sh", "-c", SEND, "sh", &from, &to]);
}

/// Expects exactly these numbers, in order, and acknowledges each.
pub(crate) async fn expect(follower: &mut Follower, from: u32, to: u32) {
    for number in from..=to {
        let delivery =
            timeout(PATIENCE, follower.next()).await.expect("no delivery in time").unwrap().unwrap();
        let told = match delivery.message().map(|message| &message.payload) {
            Some(Payload::ProgressUpdate(update)) => update.status.clone(),
            _ => format!("{delivery:?}"),
        };
        assert_eq!(told, number.to_string());
        delivery.ack().await.unwrap();
    }
}

/// Expects an error, and nothing behind it.
pub(crate) async fn error(follower: &mut Follower) -> Error {
    let error = timeout(PATIENCE, follower.next()).await.expect("no error in time").unwrap().unwrap_err();
    assert!(follower.next().await.is_none(), "something follows an error");
    error
}
