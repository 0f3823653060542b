//! Telling contents apart without keeping them.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read};

/// Size of one read, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Length and hash of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint {
    len: u64,
    hash: u64,
}

impl Fingerprint {
    /// Returns how many bytes the content has.
    pub(super) fn len(&self) -> u64 {
        self.len
    }
}

/// Makes fingerprints that can be compared with each other.
///
/// The key of the hash is random and stays on the host, so nobody can prepare two contents that look the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Fingerprinter(RandomState);

impl Fingerprinter {
    /// Reads a content to its end.
    pub(super) fn of(&self, mut reader: impl Read) -> io::Result<Fingerprint> {
        let mut hasher = self.0.build_hasher();
        let mut buffer = vec![0; READ_BYTES];
        let mut len = 0;
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(Fingerprint { len, hash: hasher.finish() });
            }
            hasher.write(&buffer[..count]);
            len += count as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_contents_apart_however_they_are_read() {
        let maker = Fingerprinter::default();
        let long = vec![7; 3 * READ_BYTES + 1];
        let in_two = (&long[..5]).chain(&long[5..]);
        assert_eq!(maker.of(in_two).unwrap(), maker.of(&long[..]).unwrap());
        assert_ne!(maker.of(&b"a"[..]).unwrap(), maker.of(&b"b"[..]).unwrap());
        assert_ne!(maker.of(&b"a"[..]).unwrap(), maker.of(&b"a\0"[..]).unwrap());
    }
}
