//! Claude Code's own settings file, `~/.claude.json`, with the project's folder trusted.
//!
//! An interactive agent holds every hook back until its folder is trusted, and its first start looks whether a public
//! server is there, which fails behind a gateway.

use serde_json::{Map, Value, json};

/// Returns the file's new content. What else stands in it stays; one that is no JSON object is begun anew, as Claude
/// Code does.
pub(super) fn trusted(content: &[u8], project: &str) -> Vec<u8> {
    let mut settings: Map<String, Value> = serde_json::from_slice(content).unwrap_or_default();
    // Whoever says otherwise wants to see the first start.
    settings.entry("hasCompletedOnboarding").or_insert(json!(true));
    change(&mut settings, "projects", |projects| {
        change(projects, project, |project| {
            project.insert("hasTrustDialogAccepted".to_owned(), json!(true));
        });
    });
    // A `Map` has no value that JSON cannot hold.
    serde_json::to_vec_pretty(&settings).unwrap_or_default()
}

/// Changes an object in an object; anything else in its place becomes one.
fn change(outer: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let mut inner = match outer.remove(name) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    change(&mut inner);
    outer.insert(name.to_owned(), Value::Object(inner));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(content: &str) -> Value {
        serde_json::from_slice(&trusted(content.as_bytes(), "/p")).unwrap()
    }

    #[test]
    fn trusts_the_folder_and_passes_over_the_first_start() {
        let expected = json!({ "hasCompletedOnboarding": true, "projects": { "/p": { "hasTrustDialogAccepted": true } } });
        for content in ["", "{", "[]", "{}", r#"{"projects": 1}"#, r#"{"projects": {"/p": "x"}}"#] {
            assert_eq!(trust(content), expected, "{content}");
        }
    }

    #[test]
    fn keeps_what_else_is_set() {
        let content = r#"{"userID":"u","hasCompletedOnboarding":false,"projects":{"/q":{"a":1},
            "/p":{"allowedTools":["x"],"hasTrustDialogAccepted":false}}}"#;
        let expected = json!({ "userID": "u", "hasCompletedOnboarding": false, "projects": { "/q": { "a": 1 },
            "/p": { "allowedTools": ["x"], "hasTrustDialogAccepted": true } } });
        assert_eq!(trust(content), expected);
    }
}
