//! Which failures of the model's API pass by themselves.

/// Failures that another try does not mend, as Claude Code names them.
const LASTING: [&str; 4] =
    ["authentication_failed", "billing_error", "invalid_request", "oauth_org_not_allowed"];

/// Tells whether a failure of that name stays until somebody does something about it.
pub(crate) fn is_lasting(name: &str) -> bool {
    LASTING.contains(&name)
}
