//! Files that tools run or obey without being asked.
//!
//! An agent that writes one of them gets code run on the host the next time somebody opens the folder, so they are
//! listed and not exported unless the caller insists.

use super::safe_path::SafePath;

/// What git and forges read begins with this.
const GIT_PREFIX: &str = ".git";

/// The one file of git's that only says what is left alone.
const HARMLESS: &str = ".gitignore";

/// Files and folders of editors, shells and agents.
const NAMES: [&str; 6] = [".claude", ".mcp.json", ".vscode", ".idea", ".envrc", ".husky"];

/// Says whether a path is, or lies in, something that tools run by themselves.
///
/// Names count as a file system would take them that ignores case and invisible characters.
pub(super) fn is_agent_run(path: &SafePath) -> bool {
    path.components().any(|component| {
        let name = folded(&component.to_string_lossy());
        NAMES.contains(&name.as_str())
            || (name.starts_with(GIT_PREFIX) && name != HARMLESS)
            || is_short_git(&name)
    })
}

/// Lowercase, without the characters that some file systems ignore, and without trailing dots and blanks.
fn folded(name: &str) -> String {
    let visible = name.chars().filter(|c| !matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}'));
    visible.flat_map(char::to_lowercase).collect::<String>().trim_end_matches(['.', ' ']).to_owned()
}

/// `git~1` is what an old Windows file system calls `.git`.
fn is_short_git(name: &str) -> bool {
    name.strip_prefix("git~").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent_run(path: &str) -> bool {
        is_agent_run(&SafePath::new(path.as_bytes()).unwrap())
    }

    #[test]
    fn holds_back_what_tools_run_by_themselves() {
        for path in [
            ".git/hooks/post-checkout",
            "sub/.git/config",
            ".gitattributes",
            ".gitmodules",
            ".github/workflows/x.yml",
            ".claude/settings.json",
            ".mcp.json",
            ".vscode/tasks.json",
            "a/.envrc",
            ".husky/pre-commit",
            ".idea/x",
            ".GIT/config",
            ".Git",
            ".g\u{200c}it/config",
            "git~1/config",
            ".git./config",
            ".git /config",
            ".VSCode/x",
        ] {
            assert!(agent_run(path), "{path:?}");
        }
    }

    #[test]
    fn lets_ordinary_files_pass() {
        for path in
            [".gitignore", "sub/.gitignore", "git/x", "claude", "src/vscode.rs", "mcp.json", "a.git", "git~x"]
        {
            assert!(!agent_run(path), "{path:?}");
        }
    }
}
