//! Names of git objects.

use std::fmt;

/// Digits of a name in the two formats that git has.
const DIGITS: [usize; 2] = [40, 64];

/// The hexadecimal name of a git object. From a cage it is a claim: it says which object was meant, not what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ObjectId(String);

impl ObjectId {
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let digits = bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let text = std::str::from_utf8(bytes).ok()?;
        (DIGITS.contains(&bytes.len()) && digits).then(|| Self(text.to_owned()))
    }

    /// Says whether it is what git writes where there is no object.
    pub(super) fn is_null(&self) -> bool {
        self.0.bytes().all(|digit| digit == b'0')
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_hexadecimal_names_of_either_length_and_rejects_all_else() {
        for good in ["a".repeat(40), "0".repeat(64)] {
            assert!(ObjectId::new(good.as_bytes()).is_some(), "{good}");
        }
        for bad in ["", "HEAD", "--all", &"g".repeat(40), &"a".repeat(41), &"A".repeat(40)] {
            assert!(ObjectId::new(bad.as_bytes()).is_none(), "{bad}");
        }
    }
}
