//! Text for programs, also safe to look at.

use cage_host::sanitize;
use serde::Serialize;

/// Writes a value over several lines.
pub(crate) fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| safe(&text))
}

/// Writes a value on one line.
pub(crate) fn compact(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| safe(&text))
}

/// Escapes what could steer a terminal. JSON has such characters in strings only, so its meaning stays.
fn safe(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_plain(character) {
            text.push(character);
        } else {
            let mut units = [0; 2];
            text.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

fn is_plain(character: char) -> bool {
    matches!(character, '\n' | ' '..='~') || {
        let text = character.to_string();
        sanitize(&text) == text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_steers_a_terminal_and_keeps_the_meaning() {
        for hostile in ["\u{1b}[2J", "\u{9b}2J", "\u{202e}gpj.exe", "\u{7f}", "\u{e0041}", "täglich 🦀\t"]
        {
            let text = compact(&hostile).unwrap();
            assert_eq!(sanitize(&text), text, "{text:?}");
            assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
        }
    }
}
