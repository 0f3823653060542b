//! The numbers of messages, by which a reader can tell that one was removed.

use std::fmt;
use std::str::FromStr;

use super::content::Gap;

/// How far the numbers of a mailbox have been seen, in the order of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// The last number; nothing when it is not known, and 0 before the first message.
    last: Option<u64>,
    /// Files since then that are no messages: each may have been one with a number.
    unreadable: u64,
}

impl Sequence {
    /// Nothing has been seen and nothing is behind it.
    pub(super) const BEGINNING: Self = Self { last: Some(0), unreadable: 0 };

    /// Nothing has been seen of what is behind it.
    pub(super) const UNKNOWN: Self = Self { last: None, unreadable: 0 };

    /// Goes on behind a message, and says what is missing in front of it. Other tools give no number.
    pub(super) fn see(&mut self, seq: Option<u64>) -> Option<Gap> {
        let number = seq?;
        let before = std::mem::replace(self, Self { last: Some(number), unreadable: 0 });
        // A number that is not higher than the last one: its writer has begun to count anew.
        let missing = number.checked_sub(before.last?)?.checked_sub(1)?;
        (missing > before.unreadable).then(|| Gap { first: number - missing, last: number - 1 })
    }

    /// Goes on behind a file that is no message.
    pub(super) fn see_unreadable(&mut self) {
        self.unreadable = self.unreadable.saturating_add(1);
    }
}

/// Prints it on one line.
impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.last {
            Some(last) => write!(f, "{last} {}", self.unreadable),
            None => write!(f, "- {}", self.unreadable),
        }
    }
}

impl FromStr for Sequence {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (last, unreadable) = text.split_once(' ').ok_or(())?;
        let last = if last == "-" { None } else { Some(last.parse().map_err(drop)?) };
        Ok(Self { last, unreadable: unreadable.parse().map_err(drop)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gaps(mut sequence: Sequence, numbers: &[Option<u64>]) -> Vec<(u64, u64)> {
        let gaps = numbers.iter().filter_map(|number| sequence.see(*number));
        gaps.map(|gap| (gap.first, gap.last)).collect()
    }

    #[test]
    fn tells_what_is_missing() {
        let numbers = [1, 2, 4, 5, 9].map(Some);
        assert_eq!(gaps(Sequence::BEGINNING, &numbers), [(3, 3), (6, 8)]);
        assert_eq!(gaps(Sequence::BEGINNING, &[Some(3)]), [(1, 2)]);
    }

    #[test]
    fn tells_of_no_gap_where_none_can_be_known() {
        assert_eq!(gaps(Sequence::UNKNOWN, &[7, 8].map(Some)), []);
        assert_eq!(gaps(Sequence::BEGINNING, &[None, Some(1), None, Some(2)]), []);
    }

    #[test]
    fn begins_anew_with_a_writer_that_counts_anew() {
        assert_eq!(gaps(Sequence::BEGINNING, &[1, 2, 1, 2, 4].map(Some)), [(3, 3)]);
        assert_eq!(gaps(Sequence::BEGINNING, &[1, 1].map(Some)), []);
        assert_eq!(gaps(Sequence::BEGINNING, &[u64::MAX].map(Some)), [(1, u64::MAX - 1)]);
    }

    #[test]
    fn takes_a_file_that_is_no_message_for_a_number() {
        let mut sequence = Sequence::BEGINNING;
        sequence.see(Some(1));
        sequence.see_unreadable();
        assert_eq!(sequence.see(Some(3)), None);
        sequence.see_unreadable();
        assert_eq!(sequence.see(Some(6)), Some(Gap { first: 4, last: 5 }));
    }

    #[test]
    fn reads_what_it_prints() {
        for sequence in [Sequence::BEGINNING, Sequence::UNKNOWN, Sequence { last: Some(7), unreadable: 2 }] {
            assert_eq!(sequence.to_string().parse(), Ok(sequence));
        }
        for text in ["", "7", "x 1", "1 x", "- -"] {
            assert_eq!(text.parse::<Sequence>(), Err(()), "{text:?}");
        }
    }
}
