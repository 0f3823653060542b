//! Which messages of an outbox were delivered to the consumer and which it has acknowledged.
//!
//! Names alone order messages, and a foreign writer's message can appear a little behind newer ones. So one name is
//! not enough to go on from: everything up to a floor counts as acknowledged, and a few names above it one by one.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::time::Duration;

use cage_proto::limits::{CONSUMED_NAMES_MAX, LOOK_BACK};
use cage_proto::mailbox::EntryName;
use cage_proto::message::Envelope;

use super::content::{Content, Gap};
use super::sequence::Sequence;

/// Begins the line with the numbers.
const SEQUENCE: &str = "seq ";

/// Messages whose content is remembered, so that one which a sender stored twice is delivered once.
const REMEMBERED_MESSAGES: usize = 1_024;

/// What one consumer has seen of one outbox.
#[derive(Debug)]
pub(super) struct Ledger {
    floor: Option<EntryName>,
    /// Names above the floor that were acknowledged.
    acknowledged: BTreeSet<EntryName>,
    /// Names above the floor that the consumer has but did not acknowledge.
    delivered: BTreeSet<EntryName>,
    /// The numbers up to the floor.
    floor_sequence: Sequence,
    /// The numbers up to each name above the floor, as it came for the first time.
    sequences: BTreeMap<EntryName, Sequence>,
    remembered: VecDeque<u64>,
    remembered_set: HashSet<u64>,
}

impl Ledger {
    /// Reads what [`Ledger::to_text`] wrote; text that is something else counts as nothing seen.
    pub(super) fn from_text(text: &str) -> Self {
        let mut lines = text.lines();
        let floor = lines.next().and_then(|line| line.parse().ok());
        let beginning = if floor.is_none() { Sequence::BEGINNING } else { Sequence::UNKNOWN };
        let mut ledger = Self { floor, floor_sequence: beginning, ..Self::default() };
        for line in lines {
            match line.strip_prefix(SEQUENCE) {
                Some(sequence) => ledger.floor_sequence = sequence.parse().unwrap_or(beginning),
                None => ledger.acknowledged.extend(line.parse().ok()),
            }
        }
        ledger
    }

    /// Prints what has to survive: what was only delivered is delivered again.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.floor.as_ref().map_or("-", EntryName::as_str));
        for name in &self.acknowledged {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}");
        }
        let _ = writeln!(text, "{SEQUENCE}{}", self.floor_sequence);
        text
    }

    /// Returns the name behind which a follower has to begin.
    pub(super) fn since(&self) -> Option<&EntryName> {
        self.floor.as_ref()
    }

    /// Says whether the consumer has not seen a name yet, and notes that it does now.
    pub(super) fn deliver(&mut self, name: &EntryName) -> bool {
        if Some(name) <= self.floor.as_ref() || self.acknowledged.contains(name) {
            return false;
        }
        self.delivered.insert(name.clone())
    }

    /// Takes note of the number of what stands under a name, and says which ones are missing in front of it. Names come
    /// in order; one that comes again, or late, says nothing new.
    pub(super) fn count(&mut self, name: &EntryName, content: &Content) -> Option<Gap> {
        if Some(name) <= self.floor.as_ref() {
            return None;
        }
        let newest = self.sequences.last_key_value();
        if newest.is_some_and(|(newest, _)| name <= newest) {
            return None;
        }
        let mut sequence = newest.map_or(self.floor_sequence, |(_, sequence)| *sequence);
        let gap = if let Some(message) = content.message() {
            sequence.see(message.seq)
        } else {
            sequence.see_unreadable();
            None
        };
        self.sequences.insert(name.clone(), sequence);
        gap
    }

    /// Says whether the same message, under whatever name, was delivered lately, and remembers it.
    ///
    /// The sender's time stamp does not count: a repeated send may carry a new one.
    pub(super) fn is_repeat(&mut self, message: &Envelope) -> bool {
        let payload = serde_json::to_string(&message.payload).unwrap_or_default();
        !self.remember((&message.id, message.payload.type_name(), payload))
    }

    /// Notes something for a while; says whether it was new.
    pub(super) fn remember(&mut self, what: impl Hash) -> bool {
        let mut hasher = DefaultHasher::new();
        what.hash(&mut hasher);
        let key = hasher.finish();
        if !self.remembered_set.insert(key) {
            return false;
        }
        self.remembered.push_back(key);
        if self.remembered.len() > REMEMBERED_MESSAGES
            && let Some(oldest) = self.remembered.pop_front()
        {
            self.remembered_set.remove(&oldest);
        }
        true
    }

    /// Notes that the consumer is done with a name. What came before it and is not acknowledged stays so.
    pub(super) fn acknowledge(&mut self, name: &EntryName) {
        if self.delivered.remove(name) {
            self.acknowledged.insert(name.clone());
            self.raise_floor(LOOK_BACK, CONSUMED_NAMES_MAX);
        }
    }

    /// Forgets single names that nothing can appear behind any more, but none above an unacknowledged one.
    fn raise_floor(&mut self, look_back: Duration, kept_max: usize) {
        let Some(newest) = self.acknowledged.last() else { return };
        let edge = EntryName::at(newest.instant() - look_back);
        while let Some(first) = self.acknowledged.first() {
            let waits = self.delivered.first().is_some_and(|waiting| waiting < first);
            let young = *first > edge && self.acknowledged.len() <= kept_max;
            if waits || young {
                break;
            }
            self.floor = self.acknowledged.pop_first();
        }
        let Some(floor) = &self.floor else { return };
        while let Some(entry) = self.sequences.first_entry().filter(|entry| entry.key() <= floor) {
            self.floor_sequence = entry.remove();
        }
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            floor: None,
            acknowledged: BTreeSet::new(),
            delivered: BTreeSet::new(),
            floor_sequence: Sequence::BEGINNING,
            sequences: BTreeMap::new(),
            remembered: VecDeque::new(),
            remembered_set: HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use cage_proto::message::ProgressUpdate;

    use super::*;

    fn name(seconds: u32) -> EntryName {
        format!("2026-03-26T14-{:02}-{:02}.000000Z.json", seconds / 60, seconds % 60).parse().unwrap()
    }

    fn message(id: &str, status: &str) -> Envelope {
        Envelope {
            id: id.parse().unwrap(),
            timestamp: name(0).instant().into(),
            payload: ProgressUpdate::new(status).into(),
            seq: None,
            extra: serde_json::Map::new(),
        }
    }

    #[test]
    fn delivers_each_name_once() {
        let mut ledger = Ledger::default();
        assert!(ledger.deliver(&name(1)));
        assert!(!ledger.deliver(&name(1)));
        ledger.acknowledge(&name(1));
        assert!(!ledger.deliver(&name(1)));
    }

    #[test]
    fn delivers_a_name_that_appears_behind_newer_ones() {
        let mut ledger = Ledger::default();
        for seconds in [20, 21] {
            ledger.deliver(&name(seconds));
            ledger.acknowledge(&name(seconds));
        }
        assert!(ledger.deliver(&name(15)));
    }

    #[test]
    fn goes_on_from_before_what_is_not_acknowledged() {
        let mut ledger = Ledger::default();
        for seconds in [1, 100, 200, 300] {
            ledger.deliver(&name(seconds));
        }
        for seconds in [1, 200, 300] {
            ledger.acknowledge(&name(seconds));
        }
        assert_eq!(ledger.since(), Some(&name(1)));
        let mut later = Ledger::from_text(&ledger.to_text());
        assert!(later.deliver(&name(100)), "delivered but not acknowledged, so delivered again");
        assert!(!later.deliver(&name(200)));
    }

    fn numbered(seq: u64) -> Content {
        Content::Message(Box::new(Envelope { seq: Some(seq), ..message("a", "x") }))
    }

    #[test]
    fn tells_of_a_gap_once_and_again_after_a_restart_that_did_not_get_past_it() {
        let mut ledger = Ledger::default();
        assert_eq!(ledger.count(&name(1), &numbered(1)), None);
        ledger.deliver(&name(1));
        ledger.acknowledge(&name(1));
        assert_eq!(ledger.count(&name(100), &numbered(4)), Some(Gap { first: 2, last: 3 }));
        ledger.deliver(&name(100));
        assert_eq!(ledger.count(&name(100), &numbered(4)), None, "a new connection brings it again");
        let mut later = Ledger::from_text(&ledger.to_text());
        assert_eq!(later.count(&name(1), &numbered(1)), None);
        assert_eq!(later.count(&name(100), &numbered(4)), Some(Gap { first: 2, last: 3 }));
        later.deliver(&name(100));
        later.acknowledge(&name(100));
        later.deliver(&name(200));
        later.count(&name(200), &numbered(5));
        later.acknowledge(&name(200));
        let mut last = Ledger::from_text(&later.to_text());
        assert_eq!(last.since(), Some(&name(100)));
        assert_eq!(last.count(&name(200), &numbered(5)), None, "the number of the floor is remembered");
    }

    #[test]
    fn knows_no_gap_behind_a_cursor_without_numbers() {
        let mut ledger = Ledger::from_text(&format!("{}\n", name(1)));
        assert_eq!(ledger.count(&name(2), &numbered(7)), None);
        assert_eq!(ledger.count(&name(3), &numbered(9)), Some(Gap { first: 8, last: 8 }));
    }

    #[test]
    fn keeps_a_bounded_number_of_names() {
        let mut ledger = Ledger::default();
        for seconds in 0..100 {
            ledger.count(&name(seconds), &numbered(seconds.into()));
            ledger.deliver(&name(seconds));
            ledger.acknowledge(&name(seconds));
        }
        assert!(ledger.acknowledged.len() <= 11, "{}", ledger.acknowledged.len());
        assert!(ledger.sequences.len() <= 11, "{}", ledger.sequences.len());
        ledger.raise_floor(Duration::from_secs(1_000), 3);
        assert_eq!(ledger.acknowledged.len(), 3);
    }

    #[test]
    fn starts_anew_from_text_that_is_something_else() {
        for text in ["", "nonsense", "-\n", "\u{0}\n\u{1}"] {
            assert_eq!(Ledger::from_text(text).since(), None, "{text:?}");
        }
    }

    #[test]
    fn takes_the_same_id_with_the_same_words_for_a_repeat() {
        let mut ledger = Ledger::default();
        assert!(!ledger.is_repeat(&message("a", "x")));
        assert!(ledger.is_repeat(&message("a", "x")));
        assert!(
            !ledger.is_repeat(&message("a", "y")),
            "an id used twice for different messages loses neither"
        );
        assert!(!ledger.is_repeat(&message("b", "x")));
    }
}
