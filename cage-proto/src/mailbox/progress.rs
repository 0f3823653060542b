//! What a consumer has taken out of a mailbox.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::entry_name::{EntryName, InvalidEntryName};
use crate::limits::{CONSUMED_NAMES_MAX, LOOK_BACK};

/// Which names a consumer has taken: all up to a floor, and some behind it one by one.
///
/// One name is not enough. A foreign writer takes its name before it publishes, so its message can appear behind the
/// newest consumed one; and the answer to a question is taken out of turn, ahead of messages that came before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything up to this name counts as consumed.
    floor: Option<EntryName>,
    /// The last name consumed in turn: what the cursor file holds.
    cursor: Option<EntryName>,
    /// Names above the floor that were consumed.
    taken: BTreeMap<EntryName, Taken>,
}

/// How a name was consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// When it was the next one; the cursor moved to it.
    InTurn,
    /// Before its turn; the cursor stayed.
    Ahead,
}

/// Begins the line of a name that was taken ahead of its turn.
const AHEAD: char = '+';

impl Progress {
    /// Begins behind a name, without looking back.
    pub fn after(name: Option<EntryName>) -> Self {
        Self { floor: name.clone(), cursor: name, taken: BTreeMap::new() }
    }

    /// Joins what the cursor file says with what was remembered beside it.
    ///
    /// The cursor file wins. Somebody may have moved it on, and then nothing is known about the names that it passed;
    /// or back, or removed it, to see messages again. A reader that was killed between the two files looks like the
    /// latter.
    /// `remembered` is what [`Progress::to_text`] printed; anything else is worth nothing.
    pub fn restore(cursor: Option<EntryName>, remembered: &str) -> Self {
        let Some(remembered) = Self::parse(remembered) else { return Self::after(cursor) };
        let floor = match cursor.cmp(&remembered.cursor) {
            Ordering::Less if cursor.is_none() => return Self::default(),
            Ordering::Less | Ordering::Equal => remembered.floor.min(cursor.clone()),
            Ordering::Greater => cursor.clone(),
        };
        let mut taken = remembered.taken;
        taken.retain(|name, how| {
            Some(name) > floor.as_ref() && (Some(name) <= cursor.as_ref() || *how == Taken::Ahead)
        });
        let mut progress = Self { floor, cursor, taken };
        if let Some(cursor) = progress.cursor.clone() {
            // Whoever wrote it there has consumed it, whatever we remember.
            progress.take(&cursor, Taken::InTurn);
        }
        progress
    }

    /// Returns the last name consumed in turn.
    pub fn cursor(&self) -> Option<&EntryName> {
        self.cursor.as_ref()
    }

    /// Returns the name up to which nothing is looked at any more.
    pub fn floor(&self) -> Option<&EntryName> {
        self.floor.as_ref()
    }

    /// Tells whether a name was consumed.
    pub fn is_consumed(&self, name: &EntryName) -> bool {
        Some(name) <= self.floor.as_ref() || self.taken.contains_key(name)
    }

    /// Takes a name in turn: the cursor moves to it, but never back.
    pub fn consume(&mut self, name: &EntryName) {
        self.take(name, Taken::InTurn);
        self.cursor = self.cursor.take().max(Some(name.clone()));
        self.raise_floor();
    }

    /// Takes a name out of turn: the cursor stays, so that what came before it is still delivered.
    pub fn consume_ahead(&mut self, name: &EntryName) {
        self.take(name, Taken::Ahead);
    }

    fn take(&mut self, name: &EntryName, how: Taken) {
        if !self.is_consumed(name) {
            self.taken.insert(name.clone(), how);
        }
    }

    /// Forgets single names that have fallen out of the window of [`LOOK_BACK`] behind the cursor.
    fn raise_floor(&mut self) {
        let Some(cursor) = &self.cursor else { return };
        let window = TimeDelta::from_std(LOOK_BACK).unwrap_or_default();
        let edge = EntryName::at(cursor.instant().checked_sub_signed(window).unwrap_or_default());
        while let Some((first, _)) = self.taken.first_key_value().filter(|(first, _)| *first <= cursor) {
            if *first > edge && self.taken.len() <= CONSUMED_NAMES_MAX {
                break;
            }
            self.floor = self.taken.pop_first().map(|(name, _)| name).max(self.floor.take());
        }
    }

    /// Prints it for the file beside the cursor file.
    pub fn to_text(&self) -> String {
        let line = |name: Option<&EntryName>| name.map_or("-", EntryName::as_str).to_owned();
        let mut lines = vec![line(self.floor.as_ref()), line(self.cursor.as_ref())];
        lines.extend(self.taken.iter().map(|(name, how)| match how {
            Taken::InTurn => name.to_string(),
            Taken::Ahead => format!("{AHEAD}{name}"),
        }));
        lines.join("\n") + "\n"
    }

    /// Reads it back. A file that is not exactly as we wrote it is worth nothing.
    fn parse(text: &str) -> Option<Self> {
        let name = |line: &str| if line == "-" { Some(None) } else { line.parse().ok().map(Some) };
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let floor = name(lines.next()?)?;
        let cursor = name(lines.next()?)?;
        let taken = lines.map(|line| match line.strip_prefix(AHEAD) {
            Some(name) => Ok((name.parse()?, Taken::Ahead)),
            None => Ok((line.parse()?, Taken::InTurn)),
        });
        let taken = taken.collect::<Result<_, InvalidEntryName>>().ok()?;
        Some(Self { floor, cursor, taken })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    /// The name at so many seconds.
    fn at(seconds: i64) -> EntryName {
        EntryName::at(DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap())
    }

    fn after(consumed: &[i64]) -> Progress {
        let mut progress = Progress::default();
        for seconds in consumed {
            progress.consume(&at(*seconds));
        }
        progress
    }

    #[test]
    fn looks_back_for_a_late_name_but_not_for_ever() {
        let progress = after(&[0, 20, 24]);
        assert!(!progress.is_consumed(&at(22)));
        assert!(progress.is_consumed(&at(20)));
        assert!(progress.is_consumed(&at(0)));
        assert_eq!(progress.floor(), Some(&at(0)));
    }

    #[test]
    fn moves_the_cursor_never_back() {
        let mut progress = after(&[20]);
        progress.consume(&at(15));
        assert_eq!(progress.cursor(), Some(&at(20)));
        assert!(progress.is_consumed(&at(15)));
    }

    #[test]
    fn leaves_what_came_before_a_name_taken_ahead() {
        let mut progress = after(&[10]);
        progress.consume_ahead(&at(50));
        assert!(progress.is_consumed(&at(50)));
        assert!(!progress.is_consumed(&at(30)));
        assert_eq!(progress.cursor(), Some(&at(10)));
    }

    #[test]
    fn believes_a_cursor_that_another_tool_moved() {
        let ours = after(&[20, 24]);
        let moved = Progress::restore(Some(at(40)), &ours.to_text());
        assert_eq!(moved, Progress::after(Some(at(40))));
    }

    #[test]
    fn believes_a_cursor_without_its_memory() {
        for text in ["", "-", "-\n-\nnot a name\n", "-\n-"] {
            assert_eq!(Progress::restore(Some(at(40)), text), Progress::after(Some(at(40))), "{text:?}");
        }
    }

    #[test]
    fn begins_anew_when_the_cursor_file_was_removed() {
        assert_eq!(Progress::restore(None, &after(&[20]).to_text()), Progress::default());
    }

    #[test]
    fn remembers_what_was_taken_ahead_before_there_was_a_cursor() {
        let mut ours = Progress::default();
        ours.consume_ahead(&at(5));
        assert_eq!(Progress::restore(None, &ours.to_text()), ours);
    }

    #[test]
    fn delivers_again_what_lies_behind_a_cursor_that_was_not_written_or_moved_back() {
        let ours = after(&[20, 24, 28]);
        let restored = Progress::restore(Some(at(24)), &ours.to_text());
        assert!(!restored.is_consumed(&at(28)));
        assert!(restored.is_consumed(&at(24)));
        assert!(!restored.is_consumed(&at(22)), "a late name is still looked for");
        assert!(!Progress::restore(Some(at(10)), &ours.to_text()).is_consumed(&at(20)));
    }

    #[test]
    fn believes_that_what_the_cursor_names_is_consumed() {
        let ours = after(&[20, 24]);
        assert!(Progress::restore(Some(at(22)), &ours.to_text()).is_consumed(&at(22)));
        let contradiction = format!("{}\n{}\n", at(30), at(24));
        let restored = Progress::restore(Some(at(24)), &contradiction);
        assert!(restored.is_consumed(&at(24)) && !restored.is_consumed(&at(30)));
    }

    #[test]
    fn remembers_what_was_taken_ahead_wherever_the_cursor_is_put() {
        let mut ours = after(&[20]);
        ours.consume_ahead(&at(50));
        ours.consume(&at(51));
        for cursor in [10, 20, 30, 49] {
            let restored = Progress::restore(Some(at(cursor)), &ours.to_text());
            assert!(restored.is_consumed(&at(50)), "{cursor}");
            assert!(!restored.is_consumed(&at(51)), "{cursor}");
        }
    }

    proptest! {
        #[test]
        fn survives_a_round_trip(steps in prop::collection::vec((0_i64..100, any::<bool>()), 0..40)) {
            let mut progress = Progress::default();
            for (seconds, ahead) in steps {
                if ahead { progress.consume_ahead(&at(seconds)) } else { progress.consume(&at(seconds)) }
            }
            prop_assert_eq!(Progress::restore(progress.cursor.clone(), &progress.to_text()), progress);
        }

        #[test]
        fn never_forgets_what_it_consumed(steps in prop::collection::vec((0_i64..100, any::<bool>()), 0..40)) {
            let mut progress = Progress::default();
            let mut consumed = Vec::new();
            for (seconds, ahead) in steps {
                if ahead { progress.consume_ahead(&at(seconds)) } else { progress.consume(&at(seconds)) }
                consumed.push(at(seconds));
                prop_assert!(consumed.iter().all(|name| progress.is_consumed(name)));
            }
        }
    }
}
