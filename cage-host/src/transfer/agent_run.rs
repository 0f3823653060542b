//! Files that tools run or obey without being asked.
//!
//! An agent that writes one of them gets code run on the host the next time somebody opens the folder, so they are
//! listed and not exported unless the caller insists.
//!
//! The line is drawn at *without being asked*: what a shell, an editor, git, a package manager or another agent takes
//! up because it lies there. Files that somebody has to run or build on purpose (`Makefile`, the scripts of a
//! `package.json`, `build.rs`, `conftest.py`) are the project itself; holding them back would hold back the work.

use super::safe_path::SafePath;

/// What git and forges read begins with this: attributes with filters, submodules, hooks, workflows.
const GIT_PREFIX: &str = ".git";

/// Of those, what only says what is left alone or keeps a folder.
const HARMLESS: [&str; 2] = [".gitignore", ".gitkeep"];

/// The folders of other version control systems, with their hooks. `HEAD` makes a folder a git repository of its own,
/// whose configuration is obeyed by the git of every prompt that passes.
const REPOSITORIES: [&str; 6] = [".hg", ".jj", ".svn", ".bzr", "_darcs", "head"];

/// Hooks that an installed hook manager runs at the next commit.
const COMMIT_HOOKS: [&str; 7] = [
    ".husky",
    ".pre-commit-config.yaml",
    ".pre-commit-config.yml",
    ".overcommit.yml",
    "lefthook.yml",
    ".lefthook.yml",
    ".lefthook",
];

/// Pipelines that a forge runs, with its secrets, at the next push.
const PIPELINES: [&str; 12] = [
    ".circleci",
    ".travis.yml",
    ".drone.yml",
    ".buildkite",
    ".woodpecker",
    ".woodpecker.yml",
    ".forgejo",
    ".cirrus.yml",
    "jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "appveyor.yml",
];

/// Settings, tasks and plugins that an editor takes from the folder it opens.
const EDITORS: [&str; 18] = [
    ".vscode",
    ".idea",
    ".vs",
    ".zed",
    ".fleet",
    ".nova",
    ".devcontainer",
    ".devcontainer.json",
    ".vim",
    ".vimrc",
    ".exrc",
    ".nvimrc",
    ".nvim.lua",
    ".dir-locals.el",
    ".dir-locals-2.el",
    ".gdbinit",
    ".lldbinit",
    ".theia",
];

/// Instructions and tools of agents: one that works outside a cage obeys them with its user's rights.
const AGENTS: [&str; 19] = [
    ".claude",
    ".mcp.json",
    "claude.md",
    "claude.local.md",
    "agents.md",
    "agents.override.md",
    "gemini.md",
    ".gemini",
    ".codex",
    ".cursor",
    ".cursorrules",
    ".windsurf",
    ".windsurfrules",
    ".clinerules",
    ".roo",
    ".continue",
    ".aider.conf.yml",
    ".agents",
    ".opencode",
];

/// What a shell or its plugins load on entering a folder, and what chooses the programs it then finds.
const SHELLS: [&str; 6] = [".envrc", ".env", ".mise.toml", "mise.toml", ".mise", ".tool-versions"];

/// What an interpreter runs when it starts in a folder.
const INTERPRETERS: [&str; 6] =
    [".rprofile", ".irbrc", ".pryrc", ".pdbrc", "sitecustomize.py", "usercustomize.py"];

/// What puts another program, wrapper or registry in the place of the tool that somebody meant to run.
const PACKAGE_MANAGERS: [&str; 17] = [
    ".npmrc",
    ".yarnrc",
    ".yarnrc.yml",
    ".yarn",
    ".pnpmfile.cjs",
    ".pnp.cjs",
    ".pnp.loader.mjs",
    "bunfig.toml",
    ".cargo",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".mvn",
    ".bundle",
    ".bazelrc",
    ".bazeliskrc",
    ".buckconfig",
    "pip.conf",
];

/// Endings of editors' project files, which hold tasks too.
const SUFFIXES: [&str; 3] = [".code-workspace", ".sublime-project", ".sublime-workspace"];

const GROUPS: [&[&str]; 8] =
    [&REPOSITORIES, &COMMIT_HOOKS, &PIPELINES, &EDITORS, &AGENTS, &SHELLS, &INTERPRETERS, &PACKAGE_MANAGERS];

/// Says whether a path is, or lies in, something that tools run or obey by themselves.
///
/// Names count as a file system would take them that ignores case and invisible characters.
pub(super) fn is_agent_run(path: &SafePath) -> bool {
    path.components().any(|component| {
        let name = folded(&component.to_string_lossy());
        GROUPS.iter().any(|group| group.contains(&name.as_str()))
            || (name.starts_with(GIT_PREFIX) && !HARMLESS.contains(&name.as_str()))
            || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
            || is_short_git(&name)
    })
}

/// Says whether a path is, or lies in, the folder of a git repository itself, under any name that some file system
/// takes for it. Nothing of a cage belongs there, also when somebody insists.
pub(super) fn is_git_folder(path: &SafePath) -> bool {
    path.components().any(|component| {
        let name = folded(&component.to_string_lossy());
        name == GIT_PREFIX || is_short_git(&name)
    })
}

/// Lowercase, without the characters that some file systems ignore, without trailing dots and blanks, and without the
/// name of a stream behind a colon.
pub(super) fn folded(name: &str) -> String {
    let name = name.split(':').next().unwrap_or_default();
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

    fn path(text: &str) -> SafePath {
        SafePath::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn holds_back_what_tools_run_by_themselves() {
        for name in [
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
            ".git::$INDEX_ALLOCATION/config",
            ".VSCode/x",
            "fixture/repo/HEAD",
            ".hg/hgrc",
            ".pre-commit-config.yaml",
            "Jenkinsfile",
            "x.code-workspace",
            "CLAUDE.md",
            "sub/AGENTS.md",
            ".env",
            ".Rprofile",
            "sitecustomize.py",
            ".npmrc",
            ".yarn/releases/yarn.cjs",
            ".cargo/config.toml",
            "rust-toolchain.toml",
            ".devcontainer/devcontainer.json",
        ] {
            assert!(is_agent_run(&path(name)), "{name:?}");
        }
    }

    #[test]
    fn lets_ordinary_files_pass() {
        for name in [
            ".gitignore",
            "sub/.gitignore",
            "sub/.gitkeep",
            "git/x",
            "claude",
            "src/vscode.rs",
            "mcp.json",
            "a.git",
            "git~x",
            "Makefile",
            "package.json",
            "build.rs",
            "conftest.py",
            ".editorconfig",
            ".dockerignore",
            ".env.example",
            "src/head.rs",
            "docs/agents.rst",
        ] {
            assert!(!is_agent_run(&path(name)), "{name:?}");
        }
    }

    #[test]
    fn tells_the_folder_of_a_repository_from_other_files_of_git() {
        for name in [".git", ".git/config", "a/.GIT/hooks/x", "git~1", ".git./x", ".g\u{200c}it/config"] {
            assert!(is_git_folder(&path(name)), "{name:?}");
        }
        for name in [".gitignore", ".github/x", ".gitmodules", "a.git/x"] {
            assert!(!is_git_folder(&path(name)), "{name:?}");
        }
    }
}
