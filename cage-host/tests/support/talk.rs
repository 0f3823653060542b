//! The agent's part and the host's part of a talk through the outbox.

use std::time::Duration;

use cage_host::message::Payload;
use cage_host::{Cage, Delivery, Follower};
use tokio::time::timeout;

use super::Stage;

/// Far above what anything in a talk takes; a test that runs into it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Sends a `progress_update` as the agent does.
pub(crate) fn report(stage: &Stage, cage: &Cage, status: &str) {
    stage.agent(cage, &["cage-send", "progress_update", "--status", status]);
}

pub(crate) async fn next(follower: &mut Follower) -> Delivery {
    timeout(PATIENCE, follower.next())
        .await
        .expect("no delivery in time")
        .expect("the follower ended")
        .unwrap()
}

/// The status of a `progress_update`, or what else was delivered.
pub(crate) fn status(delivery: &Delivery) -> String {
    match delivery.message().map(|message| &message.payload) {
        Some(Payload::ProgressUpdate(update)) => update.status.clone(),
        _ => delivery.content().to_string(),
    }
}
