//! Filling a new cage: the project, the extra folders, the baseline.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::time::interval;

use super::clone::clone;
use super::create::Made;
use super::folder_name::{FolderName, PROJECT};
use super::place::Place;
use super::progress::{CreateEvent, Reporter};
use super::spec::{PlannedCage, Source};
use crate::backend::{Exec, Stdin};
use crate::error::{EngineError, Error, RequestError, Result};
use crate::transfer::{Arrival, Packing, pack};

/// Longest time for copying a folder into a cage, and for committing the project there.
pub(super) const FILL_DEADLINE: Duration = Duration::from_secs(600);

/// How often it is told how far copying is.
const REPORT_INTERVAL: Duration = Duration::from_millis(200);

const FILL: &str = "copy the project";
const FILL_FOLDER: &str = "copy an extra folder";

/// Unpacks the project and commits it as the baseline, in one round trip.
///
/// `bigFileThreshold=1` makes git stream all blobs into one pack. Loose objects would cost an inode each and make the
/// agent's own first commit stop for a garbage collection. git asks for a quarter of a megabyte to compress each blob;
/// the thresholds keep glibc from giving that back to the kernel each time, which would be a third of the time.
///
/// On a full disk `tar` and git may only say that they failed. So a failure is followed by one more write, which tells.
const FILL_SCRIPT: &str = "set -e
trap 'code=$?; [ $code = 0 ] || head -c 65536 /dev/zero > \"$1/.probe\"; exit $code' EXIT
mkdir -p \"$1\" && cd \"$1\"
tar --extract --no-same-owner --file=-
git init --quiet --initial-branch=main
MALLOC_MMAP_THRESHOLD_=4194304 MALLOC_TRIM_THRESHOLD_=67108864 \
  git -c core.bigFileThreshold=1 -c core.safecrlf=false add --all
git -c user.name=cage -c user.email=cage@localhost -c commit.gpgsign=false \
  commit --quiet --allow-empty --no-verify --message=baseline
git update-ref refs/cage/baseline HEAD";

/// Unpacks an extra folder, which must not be there yet: what an image has in its home is not mixed with it.
const FILL_FOLDER_SCRIPT: &str = "set -e
trap 'code=$?; [ $code = 0 ] || head -c 65536 /dev/zero > \"$1/.probe\"; exit $code' EXIT
mkdir \"$1\" && cd \"$1\"
tar --extract --no-same-owner --file=-";

/// The two empty blocks that end a tar archive.
const EMPTY_TAR: &[u8] = &[0; 1024];

/// Starts an empty cage, fills it and takes the last step.
pub(super) async fn fill(place: &Place, plan: PlannedCage, reporter: &mut Reporter) -> Result<Made> {
    place.start().await?;
    reporter.say(CreateEvent::Started);
    let arrival = match plan.source {
        Source::Dir(dir) => copy_in(place, project_exec(place), PROJECT, pack(dir), reporter).await?,
        Source::Empty => {
            reporter.say(CreateEvent::Committing);
            let exec = project_exec(place).stdin(Stdin::Bytes(EMPTY_TAR.into()));
            place.exec(exec).await?.success().await?;
            Arrival::default()
        }
        Source::Git(source) => {
            clone(place, &source, reporter).await?;
            Arrival::default()
        }
    };
    let mut folders = Vec::new();
    for (name, dir) in plan.folders {
        let arrival = copy_in(place, folder_exec(place, &name), name.as_str(), pack(dir), reporter).await?;
        folders.push((name.to_string(), arrival));
    }
    place.finish().await?;
    reporter.say(CreateEvent::Done);
    Ok(Made { place: place.clone(), arrival, folders })
}

fn project_exec(place: &Place) -> Exec {
    let project = place.layout.project();
    Exec::new(FILL, ["sh", "-c", FILL_SCRIPT, "sh", &project], FILL_DEADLINE).cwd(place.layout.home())
}

fn folder_exec(place: &Place, name: &FolderName) -> Exec {
    let folder = place.layout.folder(name.as_str());
    let argv = ["sh", "-c", FILL_FOLDER_SCRIPT, "sh", &folder];
    Exec::new(FILL_FOLDER, argv, FILL_DEADLINE).cwd(place.layout.home())
}

/// Streams a folder of the host into a program that unpacks it.
pub(super) async fn copy_in(
    place: &Place,
    exec: Exec,
    name: &str,
    packing: Packing,
    reporter: &mut Reporter,
) -> Result<Arrival> {
    let operation = exec.operation;
    let exec = exec.stdin(Stdin::Stream(packing.stream));
    let mut unpacked = pin!(async { place.exec(exec).await?.success().await });
    let mut packed = pin!(packing.done);
    let mut ticks = interval(REPORT_INTERVAL);
    let mut early = None;
    let packed = loop {
        tokio::select! {
            packed = &mut packed => break packed,
            done = &mut unpacked, if early.is_none() => early = Some(done),
            _ = ticks.tick() => reporter.packing(name, &packing.counted),
        }
    };
    let packed = packed.map_err(|error| EngineError::Lost { operation, reason: error.to_string() })?;
    if let Ok(arrival) = &packed {
        reporter.say(CreateEvent::Packed { place: name.to_owned(), arrival: arrival.clone() });
        if name == PROJECT {
            reporter.say(CreateEvent::Committing);
        }
    }
    let unpacked = match early {
        Some(done) => done,
        None => unpacked.await,
    };
    outcome(packed, unpacked)
}

fn outcome(packed: Result<Arrival>, unpacked: Result<()>) -> Result<Arrival> {
    match packed {
        // The packer saw its reader go: the reader's error is the cause.
        Err(error) if is_broken_pipe(&error) => unpacked.and(Err(error)),
        Err(error) => Err(with_advice(error)),
        Ok(arrival) => unpacked.map(|()| arrival),
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    matches!(error, Error::Io(error) if error.source.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells the caller what to do about a file that may not be read.
pub(super) fn with_advice(error: Error) -> Error {
    match error {
        Error::Io(error) if error.source.kind() == io::ErrorKind::PermissionDenied => {
            RequestError::Unreadable { path: error.path, reason: error.source.to_string() }.into()
        }
        other => other,
    }
}
