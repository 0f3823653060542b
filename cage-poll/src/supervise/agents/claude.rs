//! Claude Code: started with a session id of our choice, resumed by the last one that it named.

use std::ffi::OsString;

use uuid::Uuid;

use super::agent::{AgentError, Invocation};
use super::claude_args::ClaudeArgs;

/// A command line of Claude Code.
#[derive(Debug)]
pub(in crate::supervise) struct Claude {
    program: OsString,
    args: ClaudeArgs,
}

impl Claude {
    pub(super) fn new(program: OsString, args: Vec<OsString>) -> Result<Self, AgentError> {
        Ok(Self { program, args: ClaudeArgs::parse(args)? })
    }

    pub(super) fn prompt(&self) -> Option<&str> {
        self.args.prompt.as_deref()
    }

    pub(super) fn start(&self) -> Invocation {
        let id = self.args.session_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string().into());
        self.run("--session-id", id)
    }

    pub(super) fn resume(&self, conversation: &str) -> Invocation {
        self.run("--resume", conversation.into())
    }

    fn run(&self, option: &str, id: OsString) -> Invocation {
        let mut args = self.args.words.clone();
        args.extend([option.into(), id]);
        Invocation { program: self.program.clone(), args, env: Vec::new(), instructions_file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claude(args: &[&str]) -> Claude {
        Claude::new("claude".into(), args.iter().map(OsString::from).collect()).unwrap()
    }

    #[test]
    fn never_puts_the_prompt_on_the_command_line() {
        let claude = claude(&["-p", "a secret", "--model", "opus"]);
        for invocation in [claude.start(), claude.resume("9b2f")] {
            assert!(!invocation.args.contains(&OsString::from("a secret")), "{invocation:?}");
        }
        assert_eq!(claude.prompt(), Some("a secret"));
    }

    #[test]
    fn starts_with_the_id_that_the_caller_chose_and_resumes_the_one_that_was_seen() {
        let claude = claude(&["-p", "--session-id", "mine"]);
        assert!(claude.start().args.ends_with(&["--session-id".into(), "mine".into()]));
        assert!(claude.resume("seen").args.ends_with(&["--resume".into(), "seen".into()]));
    }
}
