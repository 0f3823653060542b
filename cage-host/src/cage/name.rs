//! The name of a cage.

use std::fmt;
use std::str::FromStr;

/// Longest name, in bytes: with the prefix it stays a legal host name label (63).
pub const MAX_NAME_BYTES: usize = 48;

/// What the container of a cage is called before the cage's own name.
pub(crate) const CONTAINER_PREFIX: &str = "isolated-dev-";

/// A cage's name: 1 to 48 lowercase letters, digits and single hyphens, beginning and ending with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CageName(String);

/// Why a name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing was given.
    #[error("a cage name is empty; use for example `demo`")]
    Empty,
    /// The name is too long.
    #[error("a cage name has {bytes} bytes, at most {MAX_NAME_BYTES} are allowed")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// The name holds a character that is not allowed.
    #[error(
        "a cage name holds {character:?}; use lowercase letters, digits and hyphens, for example `demo-2`"
    )]
    Character {
        /// The first such character.
        character: char,
    },
    /// A hyphen stands first, last or next to another.
    #[error("a cage name begins or ends with a hyphen or has two in a row; use for example `demo-2`")]
    Hyphen,
}

impl CageName {
    /// Checks a name.
    ///
    /// # Errors
    /// A [`NameError`] that says which rule is broken.
    pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
        let name = name.into();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.len() > MAX_NAME_BYTES {
            return Err(NameError::TooLong { bytes: name.len() });
        }
        let allowed = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-';
        if let Some(character) = name.chars().find(|c| !allowed(c)) {
            return Err(NameError::Character { character });
        }
        if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
            return Err(NameError::Hyphen);
        }
        Ok(Self(name))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name of the container that is this cage.
    pub(crate) fn container(&self) -> String {
        format!("{CONTAINER_PREFIX}{}", self.0)
    }
}

impl fmt::Display for CageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CageName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        Self::new(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_lowercase_letters_digits_and_inner_hyphens() {
        for name in ["a", "demo", "demo-2", "0", "a-b-c", &"x".repeat(MAX_NAME_BYTES)] {
            assert_eq!(CageName::new(name).map(|n| n.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn rejects_each_broken_rule_with_its_own_error() {
        let cases = [
            ("", NameError::Empty),
            ("-a", NameError::Hyphen),
            ("a-", NameError::Hyphen),
            ("a--b", NameError::Hyphen),
            ("Demo", NameError::Character { character: 'D' }),
            ("../x", NameError::Character { character: '.' }),
            ("a b", NameError::Character { character: ' ' }),
            ("a\u{1b}", NameError::Character { character: '\u{1b}' }),
        ];
        for (name, error) in cases {
            assert_eq!(CageName::new(name), Err(error), "{name:?}");
        }
        assert_eq!(CageName::new("x".repeat(49)), Err(NameError::TooLong { bytes: 49 }));
    }

    #[test]
    fn shows_a_refused_control_character_escaped() {
        let error = CageName::new("a\u{1b}").unwrap_err();
        insta::assert_snapshot!(error, @r"a cage name holds '\u{1b}'; use lowercase letters, digits and hyphens, for example `demo-2`");
    }
}
