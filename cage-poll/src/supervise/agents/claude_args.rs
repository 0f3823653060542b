//! Claude Code's command line: the prompt is found, what supervising needs is added, what would contradict it refused.

use std::ffi::{OsStr, OsString};

use super::agent::AgentError;

/// Options without a value, as of the version that the image pins.
const FLAGS: [&str; 12] = [
    "--allow-dangerously-skip-permissions",
    "--brief",
    "--dangerously-skip-permissions",
    "--disable-slash-commands",
    "--exclude-dynamic-system-prompt-sections",
    "--include-hook-events",
    "--include-partial-messages",
    "--print",
    "-p",
    "--safe-mode",
    "--strict-mcp-config",
    "--verbose",
];

/// Options that take one value.
const WITH_VALUE: [&str; 21] = [
    "--agent",
    "--agents",
    "--append-system-prompt",
    "--append-system-prompt-file",
    "--debug-file",
    "--effort",
    "--fallback-model",
    "--json-schema",
    "--max-budget-usd",
    "--max-turns",
    "--model",
    "--name",
    "-n",
    "--output-format",
    "--permission-mode",
    "--permission-prompt-tool",
    "--plugin-dir",
    "--session-id",
    "--setting-sources",
    "--settings",
    "--system-prompt",
];

/// Options that take every word up to the next option.
const WITH_VALUES: [&str; 9] = [
    "--add-dir",
    "--allowedTools",
    "--allowed-tools",
    "--betas",
    "--disallowedTools",
    "--disallowed-tools",
    "--file",
    "--mcp-config",
    "--tools",
];

/// Options that supervising sets itself, each with the reason to refuse it.
const REFUSED: [(&str, &str); 8] = [
    ("--resume", "it resumes the conversation itself"),
    ("-r", "it resumes the conversation itself"),
    ("--continue", "it resumes the conversation itself"),
    ("-c", "it resumes the conversation itself"),
    ("--fork-session", "the conversation must stay the same one"),
    ("--no-session-persistence", "a revision could not reach the same conversation"),
    ("--bare", "it turns the hooks off"),
    ("--input-format", "it writes plain text to stdin"),
];

/// A command line without its prompt, in a form to which more can be added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ClaudeArgs {
    /// The words that stay, with what a headless, supervised run needs.
    pub(super) words: Vec<OsString>,
    /// The id that the caller wants the conversation to have.
    pub(super) session_id: Option<OsString>,
    pub(super) prompt: Option<String>,
}

impl ClaudeArgs {
    /// Sorts the words of a command line behind its program.
    pub(super) fn parse(args: Vec<OsString>) -> Result<Self, AgentError> {
        let mut parsed = Self::default();
        let mut words = args.into_iter().peekable();
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let (name, inline) = match text.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (text.as_str(), None),
            };
            refuse(name)?;
            if !name.starts_with('-') {
                if parsed.prompt.replace(text.clone()).is_some() {
                    return Err(AgentError::TwoPrompts { second: text });
                }
            } else if name == "--session-id" {
                parsed.session_id = inline.map(OsString::from).or_else(|| words.next());
            } else {
                let (takes_one, takes_many) = (WITH_VALUE.contains(&name), WITH_VALUES.contains(&name));
                let takes_more = inline.is_none();
                let known = takes_one || takes_many || FLAGS.contains(&name);
                if !known && takes_more && words.peek().is_some_and(|next| !is_option(next)) {
                    return Err(AgentError::Ambiguous { option: text });
                }
                parsed.words.push(word);
                if takes_one && takes_more {
                    parsed.words.extend(words.next());
                }
                while takes_many && takes_more && words.peek().is_some_and(|next| !is_option(next)) {
                    parsed.words.extend(words.next());
                }
            }
        }
        parsed.check_output_format()?;
        parsed.add_what_is_missing();
        Ok(parsed)
    }

    fn check_output_format(&self) -> Result<(), AgentError> {
        let mut words = self.words.iter().map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let format = match word.strip_prefix("--output-format=") {
                Some(format) => Some(format.to_owned()),
                None if word == "--output-format" => words.next().map(std::borrow::Cow::into_owned),
                None => None,
            };
            if format.as_deref().is_some_and(|format| format != "stream-json") {
                let why = "it reads the stream of events; leave the option out";
                return Err(AgentError::Option { option: "--output-format".to_owned(), why });
            }
        }
        Ok(())
    }

    fn add_what_is_missing(&mut self) {
        if !self.has("--print") && !self.has("-p") {
            self.words.push("--print".into());
        }
        if !self.has("--output-format") {
            self.words.extend(["--output-format", "stream-json"].map(OsString::from));
        }
        // Without it the stream is refused.
        if !self.has("--verbose") {
            self.words.push("--verbose".into());
        }
    }

    fn has(&self, option: &str) -> bool {
        self.words.iter().any(|word| {
            let rest = word.to_str().and_then(|word| word.strip_prefix(option));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    }
}

fn is_option(word: &OsStr) -> bool {
    word.to_string_lossy().starts_with('-')
}

fn refuse(name: &str) -> Result<(), AgentError> {
    match REFUSED.into_iter().find(|(refused, _)| *refused == name) {
        Some((option, why)) => Err(AgentError::Option { option: option.to_owned(), why }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<ClaudeArgs, AgentError> {
        ClaudeArgs::parse(line.split_whitespace().map(OsString::from).collect())
    }

    fn words(line: &str) -> String {
        parse(line).unwrap().words.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn adds_what_the_caller_left_out_and_nothing_twice() {
        assert_eq!(words(""), "--print --output-format stream-json --verbose");
        let whole = "-p --output-format=stream-json --verbose";
        assert_eq!(words(whole), whole);
    }

    #[test]
    fn finds_the_prompt_wherever_it_stands() {
        for line in [
            "-p task --model opus",
            "--model opus -p task",
            "-p --model=opus task",
            "-p --allowedTools Bash Edit --verbose task",
            "task -p --add-dir a b",
        ] {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.prompt.as_deref(), Some("task"), "{line}");
            assert!(!parsed.words.contains(&OsString::from("task")), "{line}");
        }
        assert_eq!(parse("-p --model opus").unwrap().prompt, None);
    }

    #[test]
    fn takes_the_session_id_out_in_both_forms() {
        for line in ["-p --session-id 9b2f", "--session-id=9b2f -p"] {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.session_id, Some(OsString::from("9b2f")));
            assert!(!words(line).contains("session-id"));
        }
    }

    #[test]
    fn rejects_what_would_contradict_it() {
        let reason = |line| parse(line).unwrap_err().to_string();
        insta::assert_snapshot!(reason("-p --resume x"), @"--resume cannot be combined with supervise: it resumes the conversation itself");
        insta::assert_snapshot!(reason("-p --output-format json"), @"--output-format cannot be combined with supervise: it reads the stream of events; leave the option out");
        assert!(parse("--output-format=text").is_err());
        insta::assert_snapshot!(reason("-p one two"), @"there is a second prompt, `two`; quote the prompt, or leave it to --task-file");
        insta::assert_snapshot!(reason("-p --new-option x"), @"it is not known whether the word behind --new-option is its value or the prompt; write --new-option=VALUE, or put the prompt first");
        assert!(parse("-p task --new-option --verbose --other=x").is_ok());
    }
}
