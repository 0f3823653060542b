//! Where one look into a cage ends in what the program there prints.
//!
//! A look has its sections, then an archive, then one more end. The archive says by its own headers how long it is, so
//! nothing in a file can look like the end.

use tar::Header;

use super::snapshot::{END, SECTIONS};

/// Size of an archive's block, in bytes.
const BLOCK: usize = 512;

/// What stands behind the archive.
const BEHIND: &[u8] = b"\n/\n";

/// Returns the length of the look that an output begins with; nothing until all of it is there.
///
/// The error says that it can never become one.
pub(super) fn length(output: &[u8]) -> Result<Option<usize>, &'static str> {
    let Some(sections) = sections(output) else { return Ok(None) };
    Ok(archive(&output[sections..])?.map(|archive| sections + archive + BEHIND.len()))
}

/// Returns the length of the sections.
fn sections(output: &[u8]) -> Option<usize> {
    let (mut at, mut ends) = (0, 0);
    while ends < SECTIONS {
        let length = output[at..].iter().position(|byte| *byte == b'\n')?;
        ends += usize::from(&output[at..at + length] == END);
        at += length + 1;
    }
    Some(at)
}

/// Returns the length of an archive and of the zeros that fill it up.
fn archive(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut at = 0;
    // Without a single file some programs write nothing at all.
    while !bytes[at..].starts_with(BEHIND) {
        let Some(block) = bytes.get(at..at + BLOCK) else { return Ok(None) };
        if block.iter().all(|byte| *byte == 0) {
            return filling(bytes, at);
        }
        let size = Header::from_byte_slice(block).entry_size().map_err(|_| "its archive makes no sense")?;
        let size = usize::try_from(size).ok().and_then(|size| size.checked_next_multiple_of(BLOCK));
        let next = size.and_then(|size| size.checked_add(at + BLOCK)).ok_or("its archive has no end")?;
        if next > bytes.len() {
            return Ok(None);
        }
        at = next;
    }
    Ok(Some(at))
}

fn filling(bytes: &[u8], from: usize) -> Result<Option<usize>, &'static str> {
    let Some(zeros) = bytes[from..].iter().position(|byte| *byte != 0) else { return Ok(None) };
    let behind = &bytes[from + zeros..];
    match behind.starts_with(BEHIND) {
        true => Ok(Some(from + zeros)),
        false if BEHIND.starts_with(behind) => Ok(None),
        false => Err("its archive goes on behind its end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(b"now 1\n/\n|/\n\n/\n/\n/\n/\n".to_vec());
        for (name, content) in files {
            let mut header = Header::new_gnu();
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, name, *content).unwrap();
        }
        let mut output = builder.into_inner().unwrap();
        output.extend_from_slice(BEHIND);
        output
    }

    #[test]
    fn finds_the_end_wherever_the_output_is_cut() {
        let files: [(&str, &[u8]); 2] = [("a", b"\n/\n"), ("b", &[0; 1500])];
        for count in 0..=files.len() {
            let whole = output(&files[..count]);
            for cut in 0..whole.len() {
                assert_eq!(length(&whole[..cut]), Ok(None), "{cut}");
            }
            assert_eq!(length(&[&whole[..], b"now 2\n"].concat()), Ok(Some(whole.len())));
        }
    }

    #[test]
    fn accepts_an_archive_that_was_not_written() {
        let output = b"now 1\n/\n/\n/\n/\n/\n\n/\n";
        assert_eq!(length(output), Ok(Some(output.len())));
    }

    #[test]
    fn rejects_an_archive_that_makes_no_sense() {
        let mut nonsense = output(&[("a", b"x")]);
        let header = nonsense.len() - BEHIND.len() - 4 * BLOCK;
        nonsense[header + 124..header + 136].fill(b'z');
        assert_eq!(length(&nonsense), Err("its archive makes no sense"));
        let mut more = output(&[]);
        let end = more.len() - BEHIND.len();
        more.splice(end.., *b"more");
        assert_eq!(length(&more), Err("its archive goes on behind its end"));
    }

    proptest::proptest! {
        #[test]
        fn survives_any_bytes(bytes: Vec<u8>, sections: bool) {
            let mut output = if sections { b"/\n/\n/\n/\n/\n".to_vec() } else { Vec::new() };
            output.extend(bytes);
            if let Ok(Some(length)) = length(&output) {
                proptest::prop_assert!(length <= output.len());
            }
        }
    }
}
