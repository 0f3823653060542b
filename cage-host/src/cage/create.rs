//! From a spec to a cage, or to nothing at all.
//!
//! Creating runs in a task of its own: a caller that gives up (a dropped future, a time-out, Ctrl-C) would otherwise
//! leave a half-made container. The task sees that nobody waits any more and removes what it made.

use std::io;
use std::time::Duration;

use tokio::sync::oneshot;

use super::place::Place;
use super::spec::{PlannedCage, Source};
use crate::backend::{Backend, Exec, Stdin};
use crate::error::{EngineError, Error, RequestError, Result};
use crate::transfer::{Arrival, Packing, pack};

/// Longest time for copying a project into a cage and committing it there.
const FILL_DEADLINE: Duration = Duration::from_secs(600);

const FILL: &str = "copy the project";

/// Unpacks the project and commits it as the baseline, in one round trip.
///
/// `bigFileThreshold=1` makes git stream all blobs into one pack. Loose objects would cost an inode each and make the
/// agent's own first commit stop for a garbage collection.
///
/// On a full disk `tar` and git may only say that they failed. So a failure is followed by one more write, which tells.
const FILL_SCRIPT: &str = "set -e
trap 'code=$?; [ $code = 0 ] || head -c 65536 /dev/zero > \"$1/.probe\"; exit $code' EXIT
mkdir -p \"$1\" && cd \"$1\"
tar --extract --no-same-owner --file=-
git init --quiet --initial-branch=main
git -c core.bigFileThreshold=1 -c core.safecrlf=false add --all
git -c user.name=cage -c user.email=cage@localhost -c commit.gpgsign=false \
  commit --quiet --allow-empty --no-verify --message=baseline";

/// Makes a cage; whatever happens before the caller has it in hands, it is removed again.
///
/// `running` is held until the task has ended, cleaning up included.
pub(crate) async fn create<R: Send + 'static>(
    backend: Backend,
    plan: PlannedCage,
    running: R,
) -> Result<(Place, Arrival)> {
    let (report, made) = oneshot::channel();
    let (keep, kept) = oneshot::channel();
    tokio::spawn(async move {
        make_or_undo(backend, plan, report, kept).await;
        drop(running);
    });
    let reason = || "the task that creates the cage was ended".to_owned();
    let made =
        made.await.map_err(|_| EngineError::Lost { operation: "create the cage", reason: reason() })?;
    // From here to the return nothing is awaited: either the caller has the cage, or `keep` was dropped unsent.
    let _ = keep.send(());
    made
}

async fn make_or_undo(
    backend: Backend,
    plan: PlannedCage,
    report: oneshot::Sender<Result<(Place, Arrival)>>,
    mut kept: oneshot::Receiver<()>,
) {
    let place = match backend.create(&plan).await {
        Ok(id) => Place::new(plan.name, id, backend),
        Err(error) => return drop(report.send(Err(error))),
    };
    let filled = tokio::select! {
        filled = fill(&place, plan.source) => Some(filled),
        _ = &mut kept => None,
    };
    let undo = match filled {
        Some(Ok(arrival)) => report.send(Ok((place.clone(), arrival))).is_err() || kept.await.is_err(),
        Some(Err(error)) => {
            // Removed before it is reported: once the caller sees the error, nothing is left.
            let _ = place.remove().await;
            drop(report.send(Err(error)));
            false
        }
        None => true,
    };
    if undo {
        // Nobody is there to hear an error; the labels let a later run find what could not be removed.
        let _ = place.remove().await;
    }
}

async fn fill(place: &Place, source: Source) -> Result<Arrival> {
    place.start().await?;
    let arrival = match source {
        Source::Dir(dir) => copy_in(place, pack(dir)).await?,
        Source::Empty => {
            let exec = fill_exec(place).stdin(Stdin::Bytes(EMPTY_TAR.into()));
            place.exec(exec).await?.success().await?;
            Arrival::default()
        }
    };
    place.finish().await?;
    Ok(arrival)
}

/// The two empty blocks that end a tar archive.
const EMPTY_TAR: &[u8] = &[0; 1024];

async fn copy_in(place: &Place, packing: Packing) -> Result<Arrival> {
    let exec = fill_exec(place).stdin(Stdin::Stream(packing.stream));
    let unpacked = match place.exec(exec).await {
        Ok(running) => running.success().await,
        Err(error) => Err(error),
    };
    let packed = packing
        .done
        .await
        .map_err(|error| EngineError::Lost { operation: FILL, reason: error.to_string() })?;
    match packed {
        // The packer saw its reader go: the reader's error is the cause.
        Err(error) if is_broken_pipe(&error) => unpacked.and(Err(error)),
        Err(error) => Err(with_advice(error)),
        Ok(arrival) => unpacked.map(|()| arrival),
    }
}

fn fill_exec(place: &Place) -> Exec {
    let project = place.layout.project();
    Exec::new(FILL, ["sh", "-c", FILL_SCRIPT, "sh", &project], FILL_DEADLINE).cwd(place.layout.home())
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.source.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells the caller what to do about a file that may not be read.
fn with_advice(error: Error) -> Error {
    match error {
        Error::Io(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            RequestError::Unreadable { path: error.path, reason: error.source.to_string() }.into()
        }
        other => other,
    }
}
