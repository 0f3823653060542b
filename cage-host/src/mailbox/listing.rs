//! What lies in a mailbox now.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::SystemTime;

use cage_proto::limits::STRAY_NAMES_KEPT;
use cage_proto::mailbox::{EntryName, Mailbox, Progress, Scan};
use cage_proto::message::{Envelope, Kind, MessageError};
use chrono::{DateTime, TimeDelta, Utc};

use super::content::Content;
use super::sweep::{Files, Found, Names, shown, sweep};
use crate::cage::Place;
use crate::error::{RequestError, Result};
use crate::sanitize::sanitize;

const LIST: &str = "list the messages";

/// Entries in one [`Listing`]; the rest is listed from its [`Listing::rest`] on.
pub const MAX_LISTED: usize = 20_000;

/// Which messages of a mailbox are wanted.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use cage_host::Select;
/// use cage_host::message::Kind;
///
/// let an_hour_ago = SystemTime::now() - Duration::from_secs(3_600);
/// let select = Select::all().of(Kind::InfoRequest).of(Kind::Error).since_time(an_hour_ago);
/// let page = Select::all().since("2026-03-26T14-30-00.000123Z.json").limit(100);
/// # let _ = (select, page);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Select {
    kinds: Vec<Kind>,
    since: Option<String>,
    from: Option<SystemTime>,
    limit: Option<usize>,
    newest: bool,
}

/// What a mailbox held at one moment, in the order in which it was sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Listing {
    /// Messages, and files that are no messages.
    pub entries: Vec<Entry>,
    rest: Option<EntryName>,
}

/// One file of a mailbox.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// Its name, safe to show.
    pub name: String,
    /// The message in it, or why there is none.
    pub content: Content,
}

impl Select {
    /// Wants everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Wants messages of a type, besides others that were named so. What is no message has no type and is left out
    /// then.
    pub fn of(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Wants what lies behind a name, as in [`Entry::name`], [`Listing::rest`] or [`Delivery::name`](crate::Delivery).
    pub fn since(mut self, name: impl Into<String>) -> Self {
        self.since = Some(name.into());
        self
    }

    /// Wants what was sent at a moment or later, by the sender's clock.
    pub fn since_time(mut self, moment: SystemTime) -> Self {
        self.from = Some(moment);
        self
    }

    /// Wants the first so many, at most [`MAX_LISTED`], which is also what is listed without a limit.
    pub fn limit(mut self, entries: usize) -> Self {
        self.limit = Some(entries);
        self
    }

    /// Wants the last so many instead of the first, at most [`MAX_LISTED`]; they are returned in the order in which
    /// they were sent, too. With types, it wants those among the last [`MAX_LISTED`] messages of any type.
    ///
    /// Files whose names are no time stamps are left out, since nobody knows when they came; so are the oldest of the
    /// wanted ones when they do not fit into 64 MiB. [`Listing::rest`] is empty.
    pub fn newest(mut self, entries: usize) -> Self {
        self.limit = Some(entries);
        self.newest = true;
        self
    }

    /// Returns the name behind which to begin.
    fn begin(&self) -> Result<Option<EntryName>> {
        let named = self.since.as_ref().map(|name| {
            name.parse::<EntryName>().map_err(|error| {
                let reason = format!("`{}` is {error}", sanitize(name));
                RequestError::Invalid { what: "name to begin behind", reason }
            })
        });
        let moment =
            self.from.map(|from| EntryName::at(DateTime::<Utc>::from(from) - TimeDelta::microseconds(1)));
        Ok(named.transpose()?.max(moment))
    }

    /// Says whether a name is of an earlier moment. One without decimals sorts behind finer ones of its second.
    fn is_before(&self, name: &EntryName) -> bool {
        self.from.is_some_and(|from| name.instant() < DateTime::<Utc>::from(from))
    }

    fn limited(&self) -> usize {
        self.limit.unwrap_or(MAX_LISTED).min(MAX_LISTED)
    }

    fn wants(&self, content: &Content) -> bool {
        let kind = content.message().and_then(|message| message.payload.kind());
        self.kinds.is_empty() || kind.is_some_and(|kind| self.kinds.contains(&kind))
    }
}

impl Listing {
    /// Returns the messages alone.
    pub fn messages(&self) -> impl Iterator<Item = &Envelope> {
        self.entries.iter().filter_map(|entry| entry.content.message())
    }

    /// Returns the name behind which [`Select::since`] finds what did not fit; nothing when this is all there was.
    pub fn rest(&self) -> Option<&str> {
        self.rest.as_ref().map(EntryName::as_str)
    }
}

/// Lists a mailbox by one program in the cage.
pub(super) async fn list(place: &Place, mailbox: Mailbox, select: &Select) -> Result<Listing> {
    let begin = Progress::after(select.begin()?);
    // With types to look for, more has to be read than is returned.
    let batch = if select.kinds.is_empty() { select.limited() } else { MAX_LISTED };
    let mut pending = Vec::new();
    let (names, files) = sweep(place, LIST, mailbox, |names| {
        if select.newest {
            pending = scan_newest(names, &begin, batch);
            // What does not fit is cut off at the end, so the oldest come last.
            return pending.iter().rev().cloned().collect();
        }
        pending = scan(names, &begin, batch);
        pending.clone()
    })
    .await?;
    Ok(if select.newest {
        compose_newest(&names, files, pending, select)
    } else {
        compose(&names, files, pending, batch, select)
    })
}

fn scan_newest(names: &Names, begin: &Progress, batch: usize) -> Vec<EntryName> {
    let mut pending = scan(names, begin, usize::MAX);
    pending.drain(..pending.len().saturating_sub(batch));
    pending
}

fn scan(names: &Names, begin: &Progress, batch: usize) -> Vec<EntryName> {
    let mut first = Scan::first(begin).batch(batch);
    names.first.iter().for_each(|name| first.see(OsStr::from_bytes(name)));
    let mut second = first.second();
    names.second.iter().for_each(|(name, _)| second.see(OsStr::from_bytes(name)));
    second.into_pending()
}

/// Puts together what was chosen and what came of it.
fn compose(
    names: &Names,
    mut files: Files,
    pending: Vec<EntryName>,
    batch: usize,
    select: &Select,
) -> Listing {
    let found = names.found();
    let full = pending.len() == batch;
    let strays = if select.since.is_none() && select.from.is_none() { strays(names) } else { Vec::new() };
    let mut entries: Vec<_> = strays.into_iter().filter(|entry| select.wants(&entry.content)).collect();
    let mut last = None;
    for name in pending.into_iter().filter(|name| !select.is_before(name)) {
        let Some(content) = content(found.get(name.as_str().as_bytes()), files.bytes.remove(&name)) else {
            if files.cut {
                return Listing { entries, rest: last };
            }
            // It was removed, or may not be read; the listing tells only of what is there.
            continue;
        };
        if select.wants(&content) {
            if entries.len() == select.limited() {
                return Listing { entries, rest: last };
            }
            entries.push(Entry { name: name.to_string(), content });
        }
        last = Some(name);
    }
    Listing { entries, rest: last.filter(|_| full) }
}

/// Puts together the last of what was chosen and came.
fn compose_newest(names: &Names, mut files: Files, pending: Vec<EntryName>, select: &Select) -> Listing {
    let found = names.found();
    let wanted = pending.into_iter().filter(|name| !select.is_before(name)).filter_map(|name| {
        let content = content(found.get(name.as_str().as_bytes()), files.bytes.remove(&name))?;
        Some(Entry { name: name.to_string(), content })
    });
    let mut entries: Vec<_> = wanted.filter(|entry| select.wants(&entry.content)).collect();
    entries.drain(..entries.len().saturating_sub(select.limited()));
    Listing { entries, rest: None }
}

/// Says what a name holds; nothing when nothing came of it.
fn content(found: Option<&Found>, bytes: Option<Vec<u8>>) -> Option<Content> {
    match (found, bytes) {
        (Some(Found::Oversize), _) => Some(Content::Oversize),
        (Some(Found::NotAFile), _) => Some(Content::Malformed("it is no regular file".to_owned())),
        (_, bytes) => bytes.map(|bytes| read(&bytes)),
    }
}

fn read(bytes: &[u8]) -> Content {
    match Envelope::parse(bytes) {
        Ok(message) => Content::Message(Box::new(message)),
        Err(MessageError::TooLarge) => Content::Oversize,
        Err(error) => Content::Malformed(sanitize(&error.to_string())),
    }
}

fn strays(names: &Names) -> Vec<Entry> {
    let is_stray =
        |name: &[u8]| std::str::from_utf8(name).ok().is_none_or(|name| name.parse::<EntryName>().is_err());
    let strays = names.second.iter().filter(|(name, _)| is_stray(name)).take(STRAY_NAMES_KEPT);
    let why = || Content::Malformed("the name is no time stamp".to_owned());
    strays.map(|(name, _)| Entry { name: shown(name), content: why() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(second: u32) -> EntryName {
        format!("2026-03-26T14-30-{second:02}Z.json").parse().unwrap()
    }

    fn message(kind: Kind) -> Vec<u8> {
        let envelope = format!(
            r#"{{"id":"a","type":"{}","timestamp":"2026-03-26T14:30:00Z","payload":{}}}"#,
            kind.name(),
            kind.example()
        );
        envelope.into_bytes()
    }

    fn listed(entries: &[(u32, Kind)], cut: bool, select: &Select) -> (Vec<u32>, Option<u32>) {
        let names: Vec<_> =
            entries.iter().map(|(second, _)| name(*second).as_str().as_bytes().to_vec()).collect();
        let second = names.iter().map(|name| (name.clone(), Found::File)).collect();
        let names = Names { first: names, second };
        let bytes = entries.iter().map(|(second, kind)| (name(*second), message(*kind))).collect();
        let batch = if select.kinds.is_empty() { select.limited() } else { MAX_LISTED };
        let pending = scan(&names, &Progress::after(select.begin().unwrap()), batch);
        let mut files = Files { bytes, cut };
        if cut {
            files.bytes.remove(&name(entries.last().unwrap().0));
        }
        let listing = compose(&names, files, pending, batch, select);
        let second = |name: &str| name[17..19].parse().unwrap();
        (listing.entries.iter().map(|entry| second(&entry.name)).collect(), listing.rest().map(second))
    }

    const THREE: [(u32, Kind); 3] = [(1, Kind::ProgressUpdate), (2, Kind::Error), (3, Kind::ProgressUpdate)];

    #[test]
    fn lists_in_order_and_says_where_to_go_on() {
        assert_eq!(listed(&THREE, false, &Select::all()), (vec![1, 2, 3], None));
        assert_eq!(listed(&THREE, false, &Select::all().limit(2)), (vec![1, 2], Some(2)));
        assert_eq!(listed(&THREE, false, &Select::all().since(name(2).as_str())), (vec![3], None));
        assert_eq!(listed(&THREE, true, &Select::all()), (vec![1, 2], Some(2)), "the last one did not fit");
    }

    #[test]
    fn lists_one_type_and_goes_on_behind_what_it_looked_at() {
        let updates = Select::all().of(Kind::ProgressUpdate);
        assert_eq!(listed(&THREE, false, &updates), (vec![1, 3], None));
        assert_eq!(listed(&THREE, false, &updates.clone().limit(1)), (vec![1], Some(2)));
        assert_eq!(listed(&THREE, false, &updates.of(Kind::Error)), (vec![1, 2, 3], None));
    }

    #[test]
    fn lists_the_newest_and_leaves_out_the_oldest_of_what_does_not_fit() {
        let newest = |number: usize, came: &[u32], select: Select| {
            let names = THREE.map(|(second, _)| name(second));
            let bytes = || names.iter().map(|name| name.as_str().as_bytes().to_vec());
            let second = bytes().map(|name| (name, Found::File)).collect();
            let seen = Names { first: bytes().collect(), second };
            let pending = scan_newest(&seen, &Progress::default(), number);
            let file = |second: &u32| (name(*second), message(THREE[*second as usize - 1].1));
            let files = Files { bytes: came.iter().map(file).collect(), cut: came.len() < 3 };
            let listing = compose_newest(&seen, files, pending, &select.newest(number));
            listing.entries.iter().map(|entry| entry.name[17..19].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(newest(2, &[1, 2, 3], Select::all()), ["02", "03"]);
        assert_eq!(newest(9, &[1, 2, 3], Select::all()), ["01", "02", "03"]);
        assert_eq!(newest(3, &[2, 3], Select::all()), ["02", "03"]);
        assert_eq!(newest(3, &[1, 2, 3], Select::all().of(Kind::Error)), ["02"]);
    }

    #[test]
    fn begins_with_a_moment_itself() {
        let moment = SystemTime::from(name(2).instant());
        assert_eq!(listed(&THREE, false, &Select::all().since_time(moment)), (vec![2, 3], None));
    }

    #[test]
    fn rejects_a_name_that_is_none() {
        let error = Select::all().since("\u{1b}x").begin().unwrap_err();
        insta::assert_snapshot!(error, @r"invalid name to begin behind: `\u{1b}x` is not a time stamp such as 2026-03-26T14-30-00.000123Z.json");
    }

    #[test]
    fn shows_files_that_are_no_messages() {
        let names = Names {
            first: Vec::new(),
            second: vec![(b"x\n.json".to_vec(), Found::File), (name(1).as_str().into(), Found::Oversize)],
        };
        let listing = compose(&names, Files::default(), vec![name(1)], MAX_LISTED, &Select::all());
        let shown: Vec<_> =
            listing.entries.iter().map(|entry| format!("{}: {}", entry.name, entry.content)).collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        x\n.json: not a message: the name is no time stamp
        2026-03-26T14-30-01Z.json: not a message: larger than 1048576 bytes
        ");
        assert_eq!(read(b"{\"id\":"), Content::Malformed("the JSON ends in the middle".into()));
    }
}
