//! Following an outbox by looking into it again and again, for a cage without a working `cage-poll`.

use std::time::Duration;

use cage_proto::limits::{PARTIAL_FILE_GRACE, PARTIAL_FILE_MAX};
use cage_proto::mailbox::{EntryName, Mailbox, Progress, Scan};
use cage_proto::message::{Envelope, MessageError};
use cage_proto::schedule::Schedule;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::content::Content;
use super::delivery::Delivery;
use super::follower::{FOLLOW, Reading};
use super::line::Line;
use super::sweep::{Files, Found, Names, shown, sweep};
use crate::backend::End;
use crate::error::Result;

/// Messages that are read in one look, so that the memory needed does not depend on how many are kept.
const BATCH: usize = 64;

/// How long until a file that is not finished is looked at again.
const UNFINISHED_INTERVAL: Duration = Duration::from_secs(1);

/// Looks until the connection breaks or nobody wants more; says also whether a look succeeded.
pub(super) async fn look_until_end(
    reading: &Reading,
    sender: &mpsc::Sender<Result<Delivery>>,
) -> (bool, End) {
    let mut polling = Polling::new(reading.shared.ledger().since().cloned());
    let mut read = false;
    loop {
        let lines = match polling.look(reading).await {
            Ok(lines) => lines,
            Err(error) => return (read, End::judge(error)),
        };
        read = true;
        for line in lines {
            if let Err(end) = reading.hand_on(line, sender).await {
                return (read, end);
            }
        }
        tokio::select! {
            () = sleep(polling.pause(Instant::now())) => {}
            () = sender.closed() => return (read, End::Consumer),
        }
    }
}

/// How far an outbox has been read.
#[derive(Debug)]
struct Polling {
    progress: Progress,
    schedule: Schedule,
    unfinished: Option<Unfinished>,
    /// Whether the last look left messages for the next one.
    more: bool,
    quiet_since: Instant,
}

/// A file that was not finished when it was last looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unfinished {
    name: EntryName,
    bytes: usize,
    first_seen: Instant,
    unchanged_since: Instant,
}

impl Polling {
    fn new(since: Option<EntryName>) -> Self {
        Self {
            progress: Progress::after(since),
            schedule: Schedule::default(),
            unfinished: None,
            more: false,
            quiet_since: Instant::now(),
        }
    }

    async fn look(&mut self, reading: &Reading) -> Result<Vec<Line>> {
        let mut pending = Vec::new();
        let (names, files) = sweep(&reading.place, FOLLOW, Mailbox::Outbox, |names| {
            pending = scan(names, &self.progress);
            pending.clone()
        })
        .await?;
        Ok(self.take(&names, &files, pending, Instant::now()))
    }

    /// Makes lines of what a look brought, up to the first file that is not finished.
    fn take(&mut self, names: &Names, files: &Files, pending: Vec<EntryName>, now: Instant) -> Vec<Line> {
        self.more = files.cut || pending.len() == BATCH;
        let mut lines = strays(names);
        let found = names.found();
        for name in pending {
            let line = match (found.get(name.as_str().as_bytes()), files.bytes.get(&name)) {
                (Some(Found::Oversize), _) => Line::Malformed(name.to_string(), Content::Oversize),
                (Some(Found::NotAFile), _) => malformed(&name, "it is no regular file"),
                (_, Some(bytes)) => {
                    let Some(line) = self.read(&name, bytes, now) else {
                        self.more = false;
                        return lines;
                    };
                    line
                }
                // What was left out is found again; what has gone is not.
                (_, None) if files.cut => return lines,
                (_, None) => continue,
            };
            self.quiet_since = now;
            self.progress.consume(&name);
            lines.push(line);
        }
        lines
    }

    /// Reads a file; nothing for one that somebody may still be writing.
    fn read(&mut self, name: &EntryName, bytes: &[u8], now: Instant) -> Option<Line> {
        match Envelope::parse(bytes) {
            Ok(message) => Some(Line::Message(name.clone(), Box::new(message))),
            Err(MessageError::TooLarge) => Some(Line::Malformed(name.to_string(), Content::Oversize)),
            Err(MessageError::Incomplete) if self.may_become_whole(name, bytes.len(), now) => None,
            Err(error) => Some(malformed(name, &error.to_string())),
        }
    }

    fn may_become_whole(&mut self, name: &EntryName, bytes: usize, now: Instant) -> bool {
        let unfinished = match self.unfinished.take() {
            Some(before) if before.name == *name && before.bytes == bytes => before,
            Some(before) if before.name == *name => Unfinished { bytes, unchanged_since: now, ..before },
            _ => Unfinished { name: name.clone(), bytes, first_seen: now, unchanged_since: now },
        };
        let waits = now - unfinished.unchanged_since < PARTIAL_FILE_GRACE
            && now - unfinished.first_seen < PARTIAL_FILE_MAX;
        self.unfinished = waits.then_some(unfinished);
        waits
    }

    /// Returns how long to wait before the next look.
    fn pause(&self, now: Instant) -> Duration {
        match (&self.unfinished, self.more) {
            (Some(_), _) => UNFINISHED_INTERVAL,
            (None, true) => Duration::ZERO,
            (None, false) => self.schedule.delay_after(now - self.quiet_since),
        }
    }
}

/// Returns the lowest names that are not consumed, in order, as far as two listings may be believed.
fn scan(names: &Names, progress: &Progress) -> Vec<EntryName> {
    use std::os::unix::ffi::OsStrExt as _;
    let os = std::ffi::OsStr::from_bytes;
    let mut first = Scan::first(progress).batch(BATCH);
    names.first.iter().for_each(|name| first.see(os(name)));
    let mut second = first.second();
    names.second.iter().for_each(|(name, _)| second.see(os(name)));
    second.into_pending()
}

/// Names that are no time stamps. Those that the consumer knows are dropped later.
fn strays(names: &Names) -> Vec<Line> {
    let strays = names.second.iter().filter(|(name, _)| {
        std::str::from_utf8(name).ok().is_none_or(|name| name.parse::<EntryName>().is_err())
    });
    let why = || Content::Malformed("the name is no time stamp".to_owned());
    strays
        .take(cage_proto::limits::STRAY_NAMES_KEPT)
        .map(|(name, _)| Line::Malformed(shown(name), why()))
        .collect()
}

fn malformed(name: &EntryName, why: &str) -> Line {
    Line::Malformed(name.to_string(), Content::Malformed(crate::sanitize::sanitize(why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACK: &str =
        r#"{"id":"a","type":"ack","timestamp":"2026-03-26T14:30:00.000123Z","payload":{"acked_id":"b"}}"#;

    fn name(second: u32) -> EntryName {
        format!("2026-03-26T14-30-{second:02}Z.json").parse().unwrap()
    }

    fn look(polling: &mut Polling, entries: &[(u32, Found, &str)], now: Instant) -> Vec<String> {
        let bytes_of = |second: u32| name(second).as_str().as_bytes().to_vec();
        let names = Names {
            first: entries.iter().map(|(second, ..)| bytes_of(*second)).collect(),
            second: entries.iter().map(|(second, found, _)| (bytes_of(*second), *found)).collect(),
        };
        let files = entries.iter().filter(|(_, found, _)| *found == Found::File);
        let bytes = files.map(|(second, _, text)| (name(*second), text.as_bytes().to_vec())).collect();
        let pending = scan(&names, &polling.progress);
        let lines = polling.take(&names, &Files { bytes, cut: false }, pending, now);
        lines
            .into_iter()
            .map(|line| match line {
                Line::Message(name, _) => format!("{} message", &name.as_str()[17..19]),
                Line::Malformed(name, content) => format!("{} {content}", &name[17..19]),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn delivers_in_order_and_each_once() {
        let mut polling = Polling::new(None);
        let now = Instant::now();
        let entries = [
            (2, Found::File, ACK),
            (1, Found::File, "[]"),
            (3, Found::Oversize, ""),
            (4, Found::NotAFile, ""),
        ];
        let expected = [
            "01 not a message: expected a JSON object, found the array",
            "02 message",
            "03 not a message: larger than 1048576 bytes",
            "04 not a message: it is no regular file",
        ];
        assert_eq!(look(&mut polling, &entries, now), expected);
        assert_eq!(look(&mut polling, &entries, now), Vec::<String>::new());
    }

    #[test]
    fn lets_an_unfinished_file_hold_up_what_is_behind_it_for_a_while() {
        let mut polling = Polling::new(None);
        let now = Instant::now();
        let entries = [(1, Found::File, "{"), (2, Found::File, ACK)];
        assert_eq!(look(&mut polling, &entries, now), Vec::<String>::new());
        assert_eq!(polling.pause(now), UNFINISHED_INTERVAL);
        let later = now + PARTIAL_FILE_GRACE;
        let grown = [(1, Found::File, "{\"a\""), (2, Found::File, ACK)];
        assert_eq!(look(&mut polling, &grown, later), Vec::<String>::new(), "its writer goes on");
        let expected = ["01 not a message: the JSON ends in the middle", "02 message"];
        assert_eq!(look(&mut polling, &grown, later + PARTIAL_FILE_GRACE), expected);
    }

    #[test]
    fn looks_again_at_once_while_there_is_more_and_by_the_schedule_otherwise() {
        let mut polling = Polling::new(None);
        let now = Instant::now();
        let many: Vec<_> = (0..60).chain(60..80).map(|second| (second % 60, Found::File, ACK)).collect();
        look(&mut polling, &many, now);
        assert_eq!(polling.pause(now), Duration::from_secs(10), "60 names are less than a batch");
        polling.more = true;
        assert_eq!(polling.pause(now), Duration::ZERO);
        polling.more = false;
        assert_eq!(polling.pause(now + Duration::from_secs(1_000)), Duration::from_secs(30));
    }

    #[test]
    fn does_not_believe_a_name_that_only_the_second_listing_has() {
        let names = Names { first: Vec::new(), second: vec![(name(1).as_str().into(), Found::File)] };
        assert_eq!(scan(&names, &Progress::default()), []);
    }
}
