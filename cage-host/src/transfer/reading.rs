//! Reading a cage's project: what there is, and then the files that are wanted of it.
//!
//! To start a program in a container costs more than all that it does here. So one is started for both: `find` lists,
//! and `tar` then waits for the names.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::archive::list_still;
use super::fetch::{FETCH, FETCH_DEADLINE, TAR, fetch, names, receive_from};
use super::listing::{FORMAT, LIST, Listing, Parser};
use super::receive::Received;
use super::safe_path::SafePath;
use super::spool::Spool;
use crate::backend::{Exec, Running, Stdin};
use crate::cage::{PROJECT, Place};
use crate::error::{CageError, RequestError, Result};

/// Longest time for a listing.
const LIST_DEADLINE: Duration = Duration::from_secs(120);

/// Longest archive without a file, in bytes: `tar` fills up its last record, of 10,240 bytes unless set otherwise.
const MAX_EMPTY_ARCHIVE_BYTES: usize = 1024 * 1024;

/// What [`SCRIPT`] answers for a folder that is not there.
const MISSING: i64 = 66;

/// Lists the folder `$1`, says that this was all, and sends what is named to it. A link is no folder, wherever it
/// leads.
///
/// `find` fails with 1 also when a file vanished meanwhile, and has listed all the others; with anything else its list
/// has no end. The exit code is that of `find`, since an archive that is short shows it by itself.
const SCRIPT: &str = r#"[ -d "$1" ] && [ ! -L "$1" ] || exit 66
find "$1" -mindepth 1 -name .git -prune -o -printf "$2"
listed=$?
[ $listed -le 1 ] || exit $listed
printf 'end\0'
cd "$1" && shift 2 && "$@"
sent=$?
[ $listed = 0 ] && exit $sent
exit $listed"#;

/// A project that was listed and from which files can be taken out, once.
#[derive(Debug)]
pub(super) enum Reading {
    /// The program in the cage waits for names; without any it ends when this is dropped.
    Waiting { running: Box<Running>, names: mpsc::Sender<Bytes>, came_early: Bytes },
    /// No program waits: nothing can run in the cage, or there is nothing in its project.
    Ended,
}

impl Reading {
    /// Lists a cage's project. A folder that the cage should have and has not is an empty one: its agent deleted it.
    pub(super) async fn begin(place: &Place) -> Result<(Listing, Self)> {
        let begun = match place.still() {
            Some(still) => list_still(place, still).await?.map(|listing| (listing, Self::Ended)),
            None => Self::begin_touched(place).await?,
        };
        match begun {
            Some(begun) => Ok(begun),
            None => Box::pin(check_known(place)).await.map(|()| (Listing::default(), Self::Ended)),
        }
    }

    async fn begin_touched(place: &Place) -> Result<Option<(Listing, Self)>> {
        let (begun, since) = tokio::try_join!(Self::begin_running(place), Box::pin(place.written_since()))?;
        Ok(begun.map(|(mut listing, reading)| {
            if let Some(since) = since.copied {
                listing.touch_since(since);
            }
            (listing, reading)
        }))
    }

    async fn begin_running(place: &Place) -> Result<Option<(Listing, Self)>> {
        let (names, stdin) = mpsc::channel(1);
        let mut running = Box::new(place.exec(exec(place).stdin(Stdin::Stream(stdin))).await?);
        let mut parser = Parser::default();
        let came_early = loop {
            match running.next_stdout().await? {
                Some(bytes) => {
                    if let Some(end) = parser.push(&bytes)? {
                        break bytes.slice(end..);
                    }
                }
                None => return cut_off(*running).await,
            }
        };
        let listing = parser.listing;
        if listing.entries.is_empty() {
            // A file that vanishes meanwhile makes `find` fail although it has listed all the others; here there are
            // no others.
            drop(names);
            end_of_nothing(*running).await?;
            return Ok(Some((listing, Self::Ended)));
        }
        Ok(Some((listing, Self::Waiting { running, names, came_early })))
    }

    /// Reads files into a spool, which is given back.
    ///
    /// A file that has gone or cannot be read is missing in the result; that is no error.
    pub(super) async fn fetch(
        self,
        place: &Place,
        wanted: BTreeSet<SafePath>,
        spool: Spool,
    ) -> Result<(Received, Spool)> {
        match self {
            Self::Waiting { mut running, names: to, came_early } if !wanted.is_empty() => {
                running.turn_to(FETCH, FETCH_DEADLINE);
                // One that has ended takes no names; its output says the rest.
                let _ = to.send(names(&wanted)).await;
                drop(to);
                receive_from(*running, came_early, wanted, spool).await
            }
            _ => fetch(place, wanted, spool).await,
        }
    }
}

fn exec(place: &Place) -> Exec {
    let folder = place.folder_path();
    let argv = ["sh", "-c", SCRIPT, "sh", &folder, FORMAT].into_iter().chain(TAR);
    Exec::new(LIST, argv, LIST_DEADLINE)
}

/// Lets a program end that was asked for nothing; more than an empty archive is not read of it.
async fn end_of_nothing(running: Running) -> Result<()> {
    running.collect(MAX_EMPTY_ARCHIVE_BYTES).await.map(drop)
}

/// Says why a listing has no end; nothing if there is no folder.
async fn cut_off<T>(running: Running) -> Result<Option<T>> {
    let exit = running.exit().await?;
    if exit.code == MISSING {
        return Ok(None);
    }
    exit.success(LIST)?;
    Err(CageError::Malformed { operation: LIST, reason: "the listing has no end".to_owned() }.into())
}

/// Tells a folder that was deleted from one that the cage never had.
async fn check_known(place: &Place) -> Result<()> {
    let folder = place.folder();
    if folder == PROJECT || place.folder_record().await?.folders().iter().any(|known| known.place == folder) {
        return Ok(());
    }
    let (cage, place) = (place.name.to_string(), folder.to_owned());
    Err(RequestError::NoSuchFolder { cage, place }.into())
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, StreamExt as _, stream};

    use super::*;
    use crate::backend::{Chunk, Feeder};
    use crate::error::Error;

    #[tokio::test]
    async fn reads_no_more_of_a_program_that_was_asked_for_nothing() {
        let chunks = stream::repeat_with(|| Ok(Chunk::Stdout(Bytes::from_static(&[0; 4_096]))));
        let running = |pieces| {
            let feeder = Feeder::start(Stdin::Empty, tokio::io::sink());
            let exec = Exec::new(LIST, TAR, LIST_DEADLINE);
            Running::new(&exec, chunks.clone().take(pieces).boxed(), async { Ok(0) }.boxed(), feeder)
        };
        end_of_nothing(running(3)).await.unwrap();
        let error = end_of_nothing(running(100_000)).await.unwrap_err();
        assert!(matches!(error, Error::Cage(CageError::TooMuch { .. })), "{error}");
    }
}
