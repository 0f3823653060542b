//! A file as one side has it, in a form that other programs can compare later.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;

use cap_std::fs::{Dir, MetadataExt as _};
use sha2::{Digest as _, Sha256};

use super::beneath::{is_in_the_way, open_beneath, open_folder};
use super::receive::MAX_FILE_BYTES;
use super::safe_path::SafePath;

/// Bytes of a SHA-256 that are kept: enough that nobody finds two contents with the same ones.
const HASH_BYTES: usize = 16;

/// Size of one read, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The beginning of the SHA-256 of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Hash([u8; HASH_BYTES]);

/// What is at a path: the content of a file, or where a link leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    Of(Hash),
    /// It cannot be read, is too large, or is neither a file nor a link.
    Unknown,
}

/// What is at a path, with its mode as far as that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) content: Content,
    pub(super) executable: bool,
}

impl Hash {
    /// Reads bytes to their end.
    pub(super) fn of(mut reader: impl Read) -> io::Result<Self> {
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; READ_BYTES]);
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(Self::first(&hasher.finalize())),
                count => hasher.update(&buffer[..count]),
            }
        }
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::first(&Sha256::digest(bytes))
    }

    fn first(digest: &[u8]) -> Self {
        let mut hash = [0; HASH_BYTES];
        hash.copy_from_slice(&digest[..HASH_BYTES]);
        Self(hash)
    }

    pub(super) fn to_hex(self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(2 * HASH_BYTES), |mut text, byte| {
            // Writing text into memory does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let plain = text.len() == 2 * HASH_BYTES && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = plain.then(|| u128::from_str_radix(text, 16).ok())?;
        number.map(|number| Self(number.to_be_bytes()))
    }
}

impl Content {
    pub(super) fn read(reader: impl Read) -> Self {
        Hash::of(reader).map_or(Self::Unknown, Self::Of)
    }
}

impl Version {
    pub(super) const NOTHING: Self = Self { content: Content::Nothing, executable: false };
    pub(super) const UNKNOWN: Self = Self { content: Content::Unknown, executable: false };

    /// Looks at a path of the host; no link on the way to it is followed.
    pub(super) fn beneath(root: &Dir, path: &SafePath) -> Self {
        match look(root, path) {
            Err(error) if is_in_the_way(&error) => Self::NOTHING,
            version => version.unwrap_or(Self::UNKNOWN),
        }
    }
}

fn look(root: &Dir, path: &SafePath) -> io::Result<Version> {
    let (folder, name) = path.split();
    let folder = open_folder(root, folder)?;
    let metadata = folder.symlink_metadata(name)?;
    if metadata.is_symlink() {
        let target = folder.read_link_contents(name)?;
        let hash = Hash::of_bytes(target.as_os_str().as_bytes());
        return Ok(Version { content: Content::Of(hash), executable: false });
    }
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Ok(Version::UNKNOWN);
    }
    let content = Content::read(open_beneath(root, path)?);
    Ok(Version { content, executable: metadata.mode() & 0o100 != 0 })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn hashes_as_everybody_does_and_reads_its_own_text() {
        let hash = Hash::of(&b"abc"[..]).unwrap();
        assert_eq!(hash.to_hex(), "ba7816bf8f01cfea414140de5dae2223");
        assert_eq!((Hash::from_hex(&hash.to_hex()), Hash::of_bytes(b"abc")), (Some(hash), hash));
        for nonsense in
            ["", "ba7816bf", "+a7816bf8f01cfea414140de5dae2223", "ba7816bf8f01cfea414140de5dae222\u{e9}"]
        {
            assert_eq!(Hash::from_hex(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn sees_files_links_and_what_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "abc").unwrap();
        std::fs::set_permissions(dir.path().join("a"), std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink("abc", dir.path().join("link")).unwrap();
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        let root = Dir::open_ambient_dir(dir.path(), cap_std::ambient_authority()).unwrap();
        let at = |path: &str| Version::beneath(&root, &SafePath::new(path.as_bytes()).unwrap());
        let abc = Content::Of(Hash::of_bytes(b"abc"));
        assert_eq!(at("a"), Version { content: abc, executable: true });
        assert_eq!(at("link"), Version { content: abc, executable: false });
        assert_eq!([at("b"), at("b/c"), at("a/c"), at("link/c")], [Version::NOTHING; 4]);
        assert_eq!(at("folder"), Version::UNKNOWN);
    }
}
