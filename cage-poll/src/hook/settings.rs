//! The managed settings that install the hooks in Claude Code.
//!
//! They are made from types, because settings of any other shape are ignored without a word.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

/// How long Claude Code waits for a hook, in seconds. They take milliseconds; its own default is ten minutes.
const TIMEOUT_SECONDS: u64 = 10;

/// How long a command in the agent's shell may take, in milliseconds: longer than the two hours that a `cage-poll`
/// waits there, as older prompts have it. Claude Code's own default kills it after two minutes.
const BASH_TIMEOUT_MS: u64 = 7_500_000;

/// The hooks and the subcommand that answers each.
const HOOKS: [(&str, &str); 6] = [
    ("SessionStart", "session-start"),
    ("UserPromptSubmit", "user-prompt-submit"),
    ("PostToolUse", "post-tool-use"),
    ("PostToolBatch", "post-tool-batch"),
    ("Stop", "stop"),
    ("StopFailure", "stop-failure"),
];

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    /// The hooks of a repository are its own programs, and would run without anyone asking.
    allow_managed_hooks_only: bool,
    env: BTreeMap<&'static str, String>,
    hooks: BTreeMap<&'static str, [Matcher; 1]>,
}

#[derive(Debug, Serialize)]
struct Matcher {
    matcher: &'static str,
    hooks: [Hook; 1],
}

/// With `args` Claude Code starts the command itself, without a shell.
#[derive(Debug, Serialize)]
struct Hook {
    r#type: &'static str,
    command: String,
    args: [&'static str; 2],
    timeout: u64,
}

/// Prints the settings for a program at that path.
pub(super) fn print(program: &Path) -> String {
    let hook = |subcommand| Hook {
        r#type: "command",
        command: program.to_string_lossy().into_owned(),
        args: ["hook", subcommand],
        timeout: TIMEOUT_SECONDS,
    };
    let hooks =
        HOOKS.map(|(event, subcommand)| (event, [Matcher { matcher: "*", hooks: [hook(subcommand)] }]));
    let settings = Settings { allow_managed_hooks_only: true, env: environment(), hooks: hooks.into() };
    // Text and numbers have no value that JSON cannot hold.
    let mut text = serde_json::to_string_pretty(&settings).unwrap_or_default();
    text.push('\n');
    text
}

fn environment() -> BTreeMap<&'static str, String> {
    let bash_timeout = BASH_TIMEOUT_MS.to_string();
    BTreeMap::from([
        ("BASH_DEFAULT_TIMEOUT_MS", bash_timeout.clone()),
        ("BASH_MAX_TIMEOUT_MS", bash_timeout),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        // Each message from the host that is handed over at the end of a turn is a block, and eight in a row would be
        // the last ones.
        ("CLAUDE_CODE_STOP_HOOK_BLOCK_CAP", "0".to_owned()),
        // With 1 it wants bubblewrap, which cannot work in a container without rights, and refuses to start. Said here
        // so that no repository can say otherwise; the session-start hook hides the credentials instead.
        ("CLAUDE_CODE_SUBPROCESS_ENV_SCRUB", "0".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_the_managed_settings() {
        insta::assert_snapshot!(print(Path::new("/usr/local/bin/cage-poll")));
    }
}
