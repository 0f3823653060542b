//! The programs in a cage that find the evidence.

use std::path::Path;
use std::time::Duration;

use cage_proto::agent::Session;
use cage_proto::mailbox::CageDir;
use chrono::{DateTime, Utc};

use super::evidence::{ChangeSummary, Evidence};
use super::run_report::RunReport;
use crate::backend::Exec;
use crate::cage::Cage;
use crate::error::Result;
use crate::mailbox::{Entry, Listing, MAX_LISTED, Select};
use crate::watch::MAX_TAIL_LINES;

const READ: &str = "read the record of the session";

/// Longest time for reading it.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// Bytes of the record: more than the supervisor ever writes.
const MAX_RECORD_BYTES: usize = 256 * 1024;

/// Prints when the task `$1` was written, in seconds, on the first line, and then the first `$3` bytes of the record
/// `$2`.
const READ_SCRIPT: &str = r#"if [ -f "$1" ]; then stat -c %Y "$1"; else echo -; fi
[ -f "$2" ] && head -c "$3" "$2"
exit 0"#;

/// Looks at a cage that runs, and says what its run was like.
pub(crate) async fn report(cage: &Cage, project: Option<&Path>) -> Result<RunReport> {
    let (launched_at, session) = record(cage).await?;
    let log = cage.log().tail(MAX_TAIL_LINES).await?;
    let diagnosis = cage.diagnose().await?;
    let (outbox, more_sent) = parts(cage.outbox().list(Select::all()).await?);
    let (inbox, more_received) = parts(cage.inbox().list(Select::all()).await?);
    let changes = match project {
        Some(dir) => Some(ChangeSummary::from(&cage.diff(dir).await?)),
        None => None,
    };
    let evidence = Evidence {
        cage: cage.name().to_string(),
        taken_at: Utc::now(),
        created_at: DateTime::from_timestamp(cage.place().written_since().await?.created, 0),
        launched_at,
        session,
        outbox,
        inbox,
        messages_cut: more_sent || more_received,
        log_cut: log.len() >= MAX_TAIL_LINES,
        log,
        diagnosis,
        changes,
    };
    Ok(RunReport::of(&evidence))
}

/// The first of the messages, and whether there are more than [`MAX_LISTED`].
fn parts(listing: Listing) -> (Vec<Entry>, bool) {
    debug_assert!(listing.entries.len() <= MAX_LISTED);
    let more = listing.rest().is_some();
    (listing.entries, more)
}

/// Reads when the agent was launched and what its supervisor wrote down.
async fn record(cage: &Cage) -> Result<(Option<DateTime<Utc>>, Option<Session>)> {
    let place = cage.place();
    let folder = CageDir::new(place.layout.cage_dir());
    let (task, session) = (folder.task_file(), folder.session_file());
    let (task, session) = (task.to_string_lossy(), session.to_string_lossy());
    let limit = MAX_RECORD_BYTES.to_string();
    let argv = ["sh", "-c", READ_SCRIPT, "sh", &task, &session, &limit];
    let output =
        place.exec(Exec::new(READ, argv, READ_DEADLINE)).await?.collect(2 * MAX_RECORD_BYTES).await?;
    let end = output.iter().position(|byte| *byte == b'\n').unwrap_or(output.len());
    let seconds = std::str::from_utf8(&output[..end]).ok().and_then(|text| text.trim().parse().ok());
    let launched = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    Ok((launched, Session::parse(output.get(end + 1..).unwrap_or_default()).ok()))
}
