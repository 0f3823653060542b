//! Names of message files.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, SubsecRound as _, TimeDelta, Utc};

/// Ends the name of every message file.
const SUFFIX: &str = ".json";

/// Characters of `2026-03-26T14-30-00`.
const SECONDS_LEN: usize = 19;

/// Digits of the fraction in the names that we give.
const OUR_DIGITS: usize = 6;

/// Digits of a fraction that a clock of nanoseconds can fill.
const DIGITS_MAX: usize = 9;

/// The name of a message file: a UTC time stamp with `:` written as `-`, then `.json`.
///
/// The order of messages is the byte order of their names. We write six decimals and read none to nine.
///
/// ```
/// use cage_proto::mailbox::EntryName;
///
/// let name: EntryName = "2026-03-26T14-30-00.000123Z.json".parse()?;
/// assert!(name < "2026-03-26T14-30-00.124Z.json".parse()?);
/// assert!("notes.json".parse::<EntryName>().is_err());
/// # Ok::<(), cage_proto::mailbox::InvalidEntryName>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(String);

/// Says that a text is no name of a message file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time stamp such as 2026-03-26T14-30-00.000123Z.json")]
pub struct InvalidEntryName;

impl EntryName {
    /// Returns the name for a moment, to the microsecond.
    pub fn at(instant: DateTime<Utc>) -> Self {
        Self(format!("{}{SUFFIX}", instant.to_rfc3339_opts(SecondsFormat::Micros, true).replace(':', "-")))
    }

    /// Reads what a cursor file holds: a name, or the bare time stamp that other tools write there.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_cursor(text: &str) -> Result<Self, InvalidEntryName> {
        if text.ends_with(SUFFIX) {
            text.parse()
        } else {
            format!("{}{SUFFIX}", text.replace(':', "-")).parse()
        }
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the moment it names.
    pub fn instant(&self) -> DateTime<Utc> {
        // The text was parsed before it became a name, so there is a moment.
        parse_instant(&self.0).unwrap_or_default()
    }

    /// Returns the first moment whose own name sorts behind this one, or nothing at the end of time.
    ///
    /// A name with fewer than six decimals sorts behind every finer name of its own second or millisecond, because `Z`
    /// sorts behind the digits; so the step is one unit of the coarser of the two.
    pub fn next_instant(&self) -> Option<DateTime<Utc>> {
        let digits =
            self.0.len().saturating_sub(SECONDS_LEN + SUFFIX.len() + "Z".len() + ".".len()).min(OUR_DIGITS);
        let unit = TimeDelta::microseconds(10_i64.pow(u32::try_from(OUR_DIGITS - digits).ok()?));
        let precision = u16::try_from(digits).ok()?;
        let next = self.instant().trunc_subsecs(precision).checked_add_signed(unit)?;
        (Self::at(next) > *self).then_some(next)
    }
}

impl FromStr for EntryName {
    type Err = InvalidEntryName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_instant(text).map(|_| Self(text.to_owned())).ok_or(InvalidEntryName)
    }
}

/// Reads `YYYY-MM-DDTHH-MM-SS[.f…]Z.json` exactly: no sign, no blank, no leap second, no other length.
///
/// Each listing comes through here, of a hundred thousand names if need be, and chrono's formats take three times as
/// long.
fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let stamp = text.strip_suffix(SUFFIX)?.strip_suffix('Z')?;
    let (seconds, fraction) = stamp.split_at_checked(SECONDS_LEN)?;
    let digits = match fraction.strip_prefix('.') {
        Some(digits) if (1..=DIGITS_MAX).contains(&digits.len()) => digits,
        None if fraction.is_empty() => "0",
        _ => return None,
    };
    let shaped = seconds.bytes().enumerate().all(|(index, byte)| match index {
        4 | 7 | 13 | 16 => byte == b'-',
        10 => byte == b'T',
        _ => byte.is_ascii_digit(),
    });
    if !shaped || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from, to| seconds.get(from..to)?.parse().ok();
    let nanoseconds =
        digits.parse::<u32>().ok()? * 10_u32.pow(u32::try_from(DIGITS_MAX - digits.len()).ok()?);
    let date = NaiveDate::from_ymd_opt(seconds.get(..4)?.parse().ok()?, number(5, 7)?, number(8, 10)?)?;
    let time = NaiveTime::from_hms_nano_opt(number(11, 13)?, number(14, 16)?, number(17, 19)?, nanoseconds)?;
    Some(date.and_time(time).and_utc())
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> EntryName {
        text.parse().unwrap()
    }

    #[test]
    fn accepts_none_to_nine_decimals() {
        for text in [
            "2026-03-26T14-30-00Z.json",
            "2026-03-26T14-30-00.1Z.json",
            "2026-03-26T14-30-00.000123Z.json",
            "2024-02-29T23-59-59.999999999Z.json",
        ] {
            assert_eq!(name(text).as_str(), text);
        }
    }

    #[test]
    fn rejects_what_is_no_time_stamp() {
        for text in [
            "",
            ".json",
            "notes.json",
            "2026-03-26T14-30-00.Z.json",
            "2026-03-26T14-30-00.0000000001Z.json",
            "2026-03-26T14:30:00Z.json",
            "2026-13-26T14-30-00Z.json",
            "2026-02-29T14-30-00Z.json",
            "2026-03-26T14-30-60Z.json",
            "2026-03-26T24-30-00Z.json",
            "2026-03-26T14-30-00Z.json.tmp",
            "+026-03-26T14-30-00Z.json",
            "2026-03-26T14-30-00.12 Z.json",
            "２026-03-26T14-30-00Z.json",
        ] {
            assert_eq!(text.parse::<EntryName>(), Err(InvalidEntryName), "{text}");
        }
    }

    #[test]
    fn reads_both_forms_of_a_cursor() {
        let expected = name("2026-11-20T10-31-05.901Z.json");
        assert_eq!(EntryName::from_cursor("2026-11-20T10:31:05.901Z").unwrap(), expected);
        assert_eq!(EntryName::from_cursor("2026-11-20T10-31-05.901Z.json").unwrap(), expected);
        assert!(EntryName::from_cursor("").is_err());
    }

    #[test]
    fn finds_no_next_moment_at_the_end_of_time() {
        assert_eq!(name("9999-12-31T23-59-59.999999Z.json").next_instant(), None);
    }

    proptest! {
        #[test]
        fn names_are_ordered_like_their_moments(a in 0_i64..253_402_300_799_999_999, b in 0_i64..253_402_300_799_999_999) {
            let at = |micros| EntryName::at(DateTime::from_timestamp_micros(micros).unwrap());
            prop_assert_eq!(a.cmp(&b), at(a).cmp(&at(b)));
            prop_assert_eq!(at(a).instant().timestamp_micros(), a);
        }

        #[test]
        fn the_next_moment_sorts_behind_any_name(text in "20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]-[0-5][0-9]-[0-5][0-9](\\.[0-9]{1,9})?Z\\.json") {
            let before = name(&text);
            prop_assert!(EntryName::at(before.next_instant().unwrap()) > before);
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<EntryName>();
            let _ = EntryName::from_cursor(&text);
        }
    }
}
