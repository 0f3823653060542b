//! The name of an extra folder in a cage's home.

use std::fmt;

use crate::error::RequestError;

/// Longest name of an extra folder, in bytes.
pub const MAX_FOLDER_NAME_BYTES: usize = 64;

/// The place of the project itself.
pub(crate) const PROJECT: &str = "project";

/// A checked name: 1 to 64 ASCII letters, digits, dots, hyphens and underscores, beginning with a letter or digit.
/// So none is hidden, none leads elsewhere, and none is `project`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FolderName(String);

impl FolderName {
    pub(crate) fn new(name: &str) -> Result<Self, RequestError> {
        let refused = |reason: String| Err(RequestError::Invalid { what: "folder", reason });
        if name == PROJECT {
            return refused("`project` is the place of the project itself; choose another name".to_owned());
        }
        if name.len() > MAX_FOLDER_NAME_BYTES {
            return refused(format!("a name has at most {MAX_FOLDER_NAME_BYTES} bytes"));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let begins_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if !begins_well || !name.bytes().all(allowed) {
            return refused(format!(
                "{name:?} is no name; use letters, digits, `.`, `-` and `_`, beginning with a letter or digit"
            ));
        }
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_plain_names() {
        for name in ["docs", "lib-2", "a.b_c", "0", &"x".repeat(MAX_FOLDER_NAME_BYTES)] {
            assert_eq!(FolderName::new(name).map(|name| name.to_string()), Ok(name.to_owned()));
        }
    }

    #[test]
    fn rejects_names_that_lead_elsewhere_are_hidden_or_reserved() {
        for name in
            ["", ".", "..", ".cage", ".claude", "a/b", "/etc", "-x", "a b", "a\u{1b}", "ü", &"x".repeat(65)]
        {
            assert!(FolderName::new(name).is_err(), "{name:?}");
        }
        insta::assert_snapshot!(FolderName::new("project").unwrap_err(), @"invalid folder: `project` is the place of the project itself; choose another name");
        insta::assert_snapshot!(FolderName::new("a/\u{1b}").unwrap_err(), @r#"invalid folder: "a/\u{1b}" is no name; use letters, digits, `.`, `-` and `_`, beginning with a letter or digit"#);
    }
}
