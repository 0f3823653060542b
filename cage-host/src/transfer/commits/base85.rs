//! Any bytes as `git apply` reads them: deflated, in lines of printable characters.

use miniz_oxide::deflate::compress_to_vec_zlib;

/// Bytes in one line.
const LINE_BYTES: usize = 52;

/// How hard git itself compresses a binary patch, unless it is told otherwise: as fast as it can.
const LEVEL: u8 = 1;

const ALPHABET: &[u8; 85] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";

/// Appends a part of a binary patch: all of a content, whatever was there before.
pub(super) fn push_literal(text: &mut String, content: &[u8]) {
    text.extend(["literal ", &content.len().to_string(), "\n"]);
    for line in compress_to_vec_zlib(content, LEVEL).chunks(LINE_BYTES) {
        text.push(length(line.len()));
        line.chunks(4).for_each(|group| push_group(text, group));
        text.push('\n');
    }
    text.push('\n');
}

/// Writes how many bytes a line has: `A` is 1, `a` is 27.
fn length(bytes: usize) -> char {
    let bytes = u8::try_from(bytes).unwrap_or_default();
    char::from(if bytes <= 26 { b'A' + bytes - 1 } else { b'a' + bytes - 27 })
}

/// Writes up to four bytes as five digits; the missing ones count as zeros.
fn push_group(text: &mut String, group: &[u8]) {
    let mut bytes = [0; 4];
    bytes[..group.len()].copy_from_slice(group);
    let number = u32::from_be_bytes(bytes);
    let digit = |place| ALPHABET[(number / 85_u32.pow(place) % 85) as usize];
    text.extend((0..5).rev().map(|place| char::from(digit(place))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(content: &[u8]) -> String {
        let mut text = String::new();
        push_literal(&mut text, content);
        text
    }

    #[test]
    fn writes_nothing_as_git_does() {
        assert_eq!(literal(b""), "literal 0\nHcmV?d00001\n\n");
    }

    #[test]
    fn breaks_lines_where_git_does() {
        let noise: Vec<u8> = (0_u32..500).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
        let text = literal(&noise);
        let lines: Vec<_> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
        let (last, full) = lines.split_last().unwrap();
        assert!(full.iter().all(|line| line.len() == 66 && line.starts_with('z')), "{text}");
        assert!(last.len() <= 66 && last.len() % 5 == 1, "{text}");
    }
}
