//! Two listings and a progress give what is pending.
//!
//! A listing is no snapshot: `readdir` can return a later name while it misses an earlier one that was there first. So
//! one listing only says how far a second one, begun afterwards, may be believed: a message that is in the first was
//! published before the second began, and by the order of publishing so was every message with a lower name.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use super::entry_name::EntryName;
use super::progress::Progress;
use crate::limits::{SCAN_BATCH_NAMES, STRAY_NAMES_KEPT};

/// The pure part of looking into a mailbox: names go in, in any order, and the lowest pending ones come out.
///
/// ```
/// use cage_proto::mailbox::{Progress, Scan};
///
/// let listing = ["2026-03-26T14-30-00Z.json", "2026-03-26T14-30-01Z.json", ".lock"];
/// let progress = Progress::default();
/// let mut first = Scan::first(&progress);
/// listing.iter().for_each(|name| first.see(name.as_ref()));
/// let mut second = first.second();
/// listing.iter().for_each(|name| second.see(name.as_ref()));
/// assert_eq!(second.pending().count(), 2);
/// ```
#[derive(Debug)]
pub struct Scan<'a> {
    progress: &'a Progress,
    /// The highest name that may be delivered; nothing in a first listing.
    up_to: Option<EntryName>,
    highest: Option<EntryName>,
    lowest_pending: BTreeSet<EntryName>,
    batch: usize,
    strays: Strays,
    entries: usize,
}

/// Files whose names end in `.json` but are no time stamps: reported, never delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strays {
    /// The first few of them.
    pub names: Vec<OsString>,
    /// How many there are.
    pub count: usize,
}

impl<'a> Scan<'a> {
    /// Begins the first listing, which finds out how far the second one may be believed.
    pub fn first(progress: &'a Progress) -> Self {
        Self::with_batch(progress, None, SCAN_BATCH_NAMES)
    }

    /// Holds at the most so many names instead of [`SCAN_BATCH_NAMES`].
    #[must_use]
    pub fn batch(mut self, names: usize) -> Self {
        self.batch = names;
        self
    }

    /// Begins the second listing. Its names must come from a listing that began after the first one ended.
    #[must_use]
    pub fn second(self) -> Self {
        Self::with_batch(self.progress, self.highest, self.batch)
    }

    fn with_batch(progress: &'a Progress, up_to: Option<EntryName>, batch: usize) -> Self {
        Self {
            progress,
            up_to,
            highest: None,
            lowest_pending: BTreeSet::new(),
            batch,
            strays: Strays::default(),
            entries: 0,
        }
    }

    /// Takes note of one name of the folder.
    pub fn see(&mut self, name: &OsStr) {
        self.entries += 1;
        let bytes = name.as_bytes();
        if bytes.starts_with(b".") || !bytes.ends_with(b".json") {
            return;
        }
        match name.to_str().and_then(|text| text.parse::<EntryName>().ok()) {
            Some(name) if self.progress.is_consumed(&name) => {}
            Some(name) => self.see_unconsumed(name),
            None => self.see_stray(name),
        }
    }

    fn see_unconsumed(&mut self, name: EntryName) {
        if Some(&name) <= self.up_to.as_ref() {
            self.lowest_pending.insert(name.clone());
            if self.lowest_pending.len() > self.batch {
                self.lowest_pending.pop_last();
            }
        }
        if Some(&name) > self.highest.as_ref() {
            self.highest = Some(name);
        }
    }

    fn see_stray(&mut self, name: &OsStr) {
        self.strays.count += 1;
        if self.strays.names.len() < STRAY_NAMES_KEPT {
            self.strays.names.push(name.to_owned());
        }
    }

    /// Tells whether the folder held any name that is not consumed yet.
    pub fn saw_pending(&self) -> bool {
        self.highest.is_some()
    }

    /// Returns the pending names in order, the lowest batch of them; a first listing has none.
    pub fn pending(&self) -> impl Iterator<Item = &EntryName> {
        self.lowest_pending.iter()
    }

    /// Returns the files that are no messages.
    pub fn strays(&self) -> &Strays {
        &self.strays
    }

    /// Returns how many names were seen, messages or not.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Ends the scan with its pending names, in order.
    pub fn into_pending(self) -> Vec<EntryName> {
        self.lowest_pending.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn at(seconds: i64) -> EntryName {
        EntryName::at(DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap())
    }

    fn scan(first: &[EntryName], second: &[EntryName], progress: &Progress, batch: usize) -> Vec<EntryName> {
        let mut scan = Scan::with_batch(progress, None, batch);
        for name in first {
            scan.see(name.as_str().as_ref());
        }
        let mut scan = scan.second();
        for name in second {
            scan.see(name.as_str().as_ref());
        }
        scan.into_pending()
    }

    #[test]
    fn ignores_what_is_no_message_and_reports_what_pretends_to_be_one() {
        let progress = Progress::default();
        let mut scan = Scan::first(&progress);
        for name in [".lock", ".2026-03-26T14-30-00Z.json", "a.txt", "notes.json", "2026.json"] {
            scan.see(name.as_ref());
        }
        assert_eq!(scan.strays().names, ["notes.json", "2026.json"]);
        assert!(!scan.saw_pending());
        assert_eq!(scan.entries(), 5);
    }

    #[test]
    fn keeps_few_strays_of_many() {
        let progress = Progress::default();
        let mut scan = Scan::first(&progress);
        for index in 0..1000 {
            scan.see(format!("x{index}.json").as_ref());
        }
        assert_eq!((scan.strays().count, scan.strays().names.len()), (1000, STRAY_NAMES_KEPT));
    }

    #[test]
    fn holds_the_lowest_names_when_there_are_more_than_a_batch() {
        let names: Vec<_> = (0..10).rev().map(at).collect();
        assert_eq!(scan(&names, &names, &Progress::default(), 3), [at(0), at(1), at(2)]);
    }

    /// A listing that runs while messages appear: it has every name that was there when it began, and any of the names
    /// that appeared before it ended.
    fn listing(published: i64, later: &[bool]) -> Vec<EntryName> {
        let luck = later.iter().enumerate().filter(|(_, seen)| **seen);
        let luck = luck.map(|(index, _)| at(published + i64::try_from(index).unwrap()));
        luck.chain((0..published).rev().map(at)).collect()
    }

    proptest! {
        /// Whatever a listing misses, what is delivered has no hole in front of it.
        #[test]
        fn never_delivers_a_name_while_an_earlier_one_is_missing(
            before in 0_i64..20, during_first in prop::collection::vec(any::<bool>(), 0..20),
            during_second in prop::collection::vec(any::<bool>(), 0..20), consumed in 0_i64..20,
        ) {
            let progress = Progress::after((consumed > 0).then(|| at(consumed - 1)));
            let first = listing(before, &during_first);
            let after_first = before + i64::try_from(during_first.len()).unwrap();
            let second = listing(after_first, &during_second);
            let delivered = scan(&first, &second, &progress, usize::MAX);
            let expected: Vec<_> = (consumed..).map(at).take(delivered.len()).collect();
            prop_assert_eq!(&delivered, &expected);
            prop_assert!(i64::try_from(delivered.len()).unwrap() >= before - consumed);
        }
    }

    #[test]
    fn a_single_listing_would_lose_a_message() {
        // The twin of the property above: name 0 appeared during the listing and was missed, name 1 was seen.
        let progress = Progress::default();
        let one_listing = [at(1)];
        assert_eq!(
            scan(&one_listing, &one_listing, &progress, 8),
            [at(1)],
            "a reader that trusts it moves past 0"
        );
        assert_eq!(scan(&one_listing, &[at(0), at(1)], &progress, 8), [at(0), at(1)]);
    }
}
