//! Who creates a cage, and whether a creation that is not finished will ever be.
//!
//! A cage is marked as unfinished where its agent cannot reach: by the name of its container, which is changed as the
//! last step. The mark says nothing about whether somebody is still at it. So a creation also names the program that
//! does it, in a way that can be checked on the same machine: boot, process namespace, process and its start.

use std::fs;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// How old an unfinished creation has to be when its program cannot be looked for, because it ran on another machine
/// or behind another process namespace. Far above what a creation is given, and above what two clocks may differ.
const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// A creation that has not come to its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// What [`creator`] returned in the program that creates it; empty if it did not get that far.
    pub(crate) creator: String,
    pub(crate) age: Duration,
}

impl Unfinished {
    /// Says whether nobody will finish it.
    pub(crate) fn is_abandoned(&self) -> bool {
        match fate(&self.creator) {
            Fate::Alive => false,
            Fate::Ended => true,
            Fate::Unknown => self.age > ABANDONED_AFTER,
        }
    }
}

/// What became of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Alive,
    Ended,
    /// It cannot be looked for from here.
    Unknown,
}

/// Returns text that stands for this program and no other, also none that gets its number later.
pub(crate) fn creator() -> String {
    let (machine, id) = (machine().unwrap_or_default(), std::process::id());
    let start = Pid::from_raw(id.cast_signed()).and_then(start_of).unwrap_or_default();
    format!("{machine} {id} {start}")
}

fn fate(creator: &str) -> Fate {
    let mut words = creator.rsplitn(3, ' ');
    let start = words.next().and_then(|word| word.parse::<u64>().ok());
    let pid = words.next().and_then(|word| word.parse().ok()).and_then(Pid::from_raw);
    let (Some(start), Some(pid), Some(place)) = (start, pid, words.next()) else { return Fate::Unknown };
    if machine().as_deref() != Some(place) {
        return Fate::Unknown;
    }
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return Fate::Ended;
    }
    // Another user's program may hide when it started; then it counts as the one that is meant.
    match start_of(pid) {
        Some(found) if found != start => Fate::Ended,
        _ => Fate::Alive,
    }
}

/// Returns what tells process numbers of here from those of elsewhere; `None` where the system does not say.
fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.to_str()?))
}

/// Returns when a process started, in ticks since boot; 0 for one that has ended and is only not yet collected.
fn start_of(pid: Pid) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The program's name stands in brackets and may itself hold brackets and blanks.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next()?, "Z" | "X") {
        return Some(0);
    }
    // The start is field 22; the one taken above was field 3.
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfinished(creator: &str, seconds: u64) -> Unfinished {
        Unfinished { creator: creator.to_owned(), age: Duration::from_secs(seconds) }
    }

    #[test]
    fn leaves_a_creation_alone_while_its_program_lives_however_old_it_is() {
        assert!(!unfinished(&creator(), 1_000_000).is_abandoned());
    }

    #[test]
    fn gives_up_a_creation_whose_program_has_ended() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let (place, id) = (machine().unwrap(), child.id());
        let start = start_of(Pid::from_raw(id.cast_signed()).unwrap()).unwrap();
        child.wait().unwrap();
        assert!(unfinished(&format!("{place} {id} {start}"), 0).is_abandoned());
    }

    #[test]
    fn gives_up_a_creation_whose_programs_number_belongs_to_a_later_one() {
        let (before, start) = creator().rsplit_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(unfinished(&format!("{before} {start}9"), 0).is_abandoned());
    }

    #[test]
    fn goes_by_the_age_of_what_was_begun_elsewhere_or_not_signed() {
        for creator in ["another-boot pid:[1] 1 1", "", "nonsense", "a b c d e"] {
            assert!(!unfinished(creator, 60).is_abandoned(), "{creator:?}");
            assert!(unfinished(creator, 3_601).is_abandoned(), "{creator:?}");
        }
    }
}
