//! What an interactive agent is started with.

use crate::cage::{Credential, Secret, check_gateway, complete, from_host};
use crate::error::RequestError;

/// Variables of the agent that keep its screen readable: no remark on how it was installed, no suggestions in its input
/// box, no question how it did.
const QUIET: [(&str, &str); 3] = [
    ("DISABLE_INSTALLATION_CHECKS", "1"),
    ("CLAUDE_CODE_ENABLE_PROMPT_SUGGESTION", "false"),
    ("CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY", "1"),
];

/// What an interactive agent is started with: Claude Code with its own screen.
///
/// Without a credential it starts too, and asks whoever attaches to sign in.
///
/// ```
/// use cage_host::{Credential, InteractiveAgent};
///
/// let agent = InteractiveAgent::new().credential(Credential::api_key("sk-made-up")).model("opus");
/// assert!(!format!("{agent:?}").contains("sk-"));
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct InteractiveAgent {
    credential: Option<Credential>,
    env: Vec<(String, Secret)>,
    model: Option<String>,
}

impl InteractiveAgent {
    /// Describes an agent with nothing but the cage's own environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Chooses what the agent signs in with.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sets an environment variable of the agent, and of nothing else in the session.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), Secret::new(value)));
        self
    }

    /// Passes the credentials and the gateway address on that this process has in its own environment, if it has any.
    pub fn env_from_host(mut self) -> Self {
        self.env.extend(from_host());
        self
    }

    /// Chooses the model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Checks what becomes part of a tmux command: a name is a name, and no value spans lines.
    pub(super) fn check(&self) -> Result<(), RequestError> {
        let is_name = |name: &str| {
            !name.starts_with(|c: char| c.is_ascii_digit())
                && !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let environment = self.environment();
        check_gateway(&environment)?;
        for (name, value) in &environment {
            let wrong = match (is_name(name), value.chars().any(char::is_control)) {
                (true, false) => continue,
                (false, _) => "use letters, digits and `_` in its name",
                (true, true) => "its value holds a control character",
            };
            let reason = format!("`{}`: {wrong}", name.escape_debug());
            return Err(RequestError::Invalid { what: "environment variable", reason });
        }
        match &self.model {
            Some(model) if model.is_empty() || model.chars().any(char::is_control) => {
                let reason = "use the name of a model".to_owned();
                Err(RequestError::Invalid { what: "model", reason })
            }
            _ => Ok(()),
        }
    }

    /// Returns the environment, in which a later value of a name wins.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let quiet = QUIET.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let credential = self.credential.iter().flat_map(Credential::env);
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
        complete(quiet.into_iter().chain(credential).chain(own).collect())
    }

    /// Returns what may have to be copied into the cage.
    pub(super) fn file_credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Returns the command line. It holds nothing secret.
    pub(super) fn argv(&self) -> Vec<&str> {
        let model = self.model.iter().flat_map(|model| ["--model", model.as_str()]);
        ["claude", "--dangerously-skip-permissions"].into_iter().chain(model).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> String {
        InteractiveAgent::new()
            .env(name, value)
            .check()
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn accepts_any_value_on_one_line() {
        assert_eq!(check("ANTHROPIC_API_KEY", "it's \"$x\" #{pid}; \\ ü"), "");
    }

    #[test]
    fn rejects_what_would_end_a_tmux_command() {
        insta::assert_snapshot!(check("A", "1\nkill-server"), @"invalid environment variable: `A`: its value holds a control character");
        insta::assert_snapshot!(check("A B", "1"), @"invalid environment variable: `A B`: use letters, digits and `_` in its name");
        for name in ["", "1A", "A;B", "A\n"] {
            assert_ne!(check(name, "1"), "", "{name:?}");
        }
        assert!(InteractiveAgent::new().model("a\nb").check().is_err());
    }
}
