//! Makes text from a cage safe to show.
//!
//! A file name, a message or an error line written by an agent can hold terminal escape sequences that rewrite the
//! screen, or invisible characters that reverse the direction of reading. Neither may reach a person's terminal.

use std::path::Path;

/// Characters kept of one untrusted string in an error or a report; more would drown what it is about.
pub(crate) const MAX_SHOWN_CHARS: usize = 2_000;

/// Returns `text` with every character that could steer a terminal written as an escape.
///
/// Line feeds and tabs stay. All other control characters, the marks that turn the direction of writing, and the
/// invisible ones come out as `\u{…}`.
///
/// ```
/// assert_eq!(cage_host::sanitize("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
/// assert_eq!(cage_host::sanitize("täglich\n"), "täglich\n");
/// ```
pub fn sanitize(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Returns JSON with every character that could steer a terminal written as an escape of JSON, so that its value stays.
///
/// Outside of its strings JSON has no such character but white space, of which all but line feeds become blanks.
///
/// ```
/// assert_eq!(cage_host::sanitize_json("\"\u{9b}2J\""), r#""\u009b2J""#);
/// ```
pub fn sanitize_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\n' => shown.push('\n'),
            // Within a string it would be no JSON.
            '\0'..=' ' => shown.push(' '),
            plain if !is_unsafe(plain) => shown.push(plain),
            other => {
                let mut units = [0; 2];
                shown.extend(other.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
            }
        }
    }
    shown
}

/// Returns a path as one line that is safe to show, with bytes that are no UTF-8 replaced.
pub fn sanitize_path(path: &Path) -> String {
    sanitize(&path.to_string_lossy()).replace('\n', "\\n").replace('\t', "\\t")
}

/// Returns the end of a program's error output on one line, cut to [`MAX_SHOWN_CHARS`].
pub(crate) fn sanitize_stderr(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let skip = line.chars().count().saturating_sub(MAX_SHOWN_CHARS);
    sanitize(&line.chars().skip(skip).collect::<String>())
}

fn is_unsafe(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // Bidirectional marks and overrides, zero-width characters, the byte order mark, tag characters.
        '\u{061c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => true,
        other => other.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_ordinary_text_as_it_is() {
        let text = "Zeile 1\n\tlínea 2 — 行三 🦀";
        assert_eq!(sanitize(text), text);
    }

    #[test]
    fn escapes_what_steers_a_terminal() {
        for hostile in ["\u{1b}[31m", "\r", "\u{7}", "\u{9b}2J", "\u{202e}gpj.exe", "\u{200b}", "\u{0}"] {
            let shown = sanitize(hostile);
            assert!(
                !shown.chars().any(is_unsafe),
                "{shown:?} still holds a character that steers a terminal"
            );
        }
    }

    #[test]
    fn shows_a_path_on_one_line() {
        assert_eq!(sanitize_path(Path::new("a\nb\tc")), "a\\nb\\tc");
    }

    #[test]
    fn keeps_the_end_of_a_long_error_output() {
        let shown = sanitize_stderr(format!("{} the cause", "x".repeat(10_000)).as_bytes());
        assert!(shown.ends_with("the cause"));
        assert_eq!(shown.chars().count(), MAX_SHOWN_CHARS);
    }

    proptest::proptest! {
        #[test]
        fn leaves_nothing_that_steers_a_terminal(text: String) {
            let shown = sanitize(&text);
            proptest::prop_assert!(!shown.chars().any(is_unsafe));
            proptest::prop_assert_eq!(sanitize(&shown), shown, "what is safe already stays as it is");
        }
    }
}
