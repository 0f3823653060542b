//! Text for programs, also safe to look at.

use cage_host::sanitize_json;
use serde::Serialize;

/// Writes a value over several lines.
pub(crate) fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(|text| sanitize_json(&text))
}

/// Writes a value on one line.
pub(crate) fn compact(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(value).map(|text| sanitize_json(&text))
}

#[cfg(test)]
mod tests {
    use cage_host::sanitize;

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
