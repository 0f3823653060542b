//! Agents that a shell plays, and waiting for what they report.

use std::time::Duration;

use cage_host::message::Payload;
use cage_host::{Agent, Cage};
use tokio::time::timeout;

/// Far above what anything here takes; a test that runs into it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent that is a line of shell.
pub(crate) fn script(text: &str) -> Agent {
    Agent::Command(vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// Waits until the agent reports that it is done, and returns its summary.
pub(crate) async fn done(cage: &Cage) -> String {
    let mut outbox = cage.outbox().follow().await.unwrap();
    loop {
        let delivery = timeout(PATIENCE, outbox.next()).await.expect("no message in time").unwrap().unwrap();
        if let Some(Payload::TaskComplete(done)) = delivery.message().map(|message| &message.payload) {
            return done.summary.clone();
        }
        delivery.ack().await.unwrap();
    }
}
