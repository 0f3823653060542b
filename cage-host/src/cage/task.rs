//! What an agent is launched with.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::agent::{Agent, Limits};
use super::credential::{self, Credential};
use crate::error::{IoContext as _, RequestError, Result};

/// Largest prompt, in bytes: far above any model's context, far below what hurts.
pub const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;

/// Longest time after which an agent goes idle: what `cage-poll` accepts.
const MAX_IDLE_AFTER: Duration = cage_proto::limits::ASKED_TIME_MAX;

/// A piece of work for an agent, and what it may spend on it.
///
/// ```
/// use std::time::Duration;
/// use cage_host::{Credential, Task};
///
/// let task = Task::new("add a --json flag")
///     .credential(Credential::api_key("sk-…"))
///     .max_budget_usd(2.0)
///     .idle_after(Duration::from_secs(3600));
/// assert!(!format!("{task:?}").contains("sk-"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Task {
    prompt: Prompt,
    instructions: bool,
    preflight: bool,
    env: Vec<(String, String)>,
    credential: Option<Credential>,
    limits: Limits,
    arguments: Vec<String>,
    idle_after: Option<Duration>,
    agent: Agent,
}

/// Where the words for the agent come from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Prompt {
    Text(String),
    File(PathBuf),
    /// Goes on with the last conversation, with these words if there are any.
    Resume(Option<String>),
}

/// The words of a task, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    New(String),
    Resume(Option<String>),
}

impl Task {
    /// Describes work in the words that the agent gets; how to send messages is added to them.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self::with(Prompt::Text(prompt.into()))
    }

    /// Takes the words from a file, which is read at launch: UTF-8, at most [`MAX_PROMPT_BYTES`].
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self::with(Prompt::File(path.into()))
    }

    /// Goes on with the conversation of the last agent in the cage where it was cut off; if it was not, the agent
    /// waits for a message.
    ///
    /// The conversation is the last one that an agent of the same kind had here, whatever ended it. Launching fails
    /// with [`RequestError::NothingToResume`] when there was none.
    pub fn resume() -> Self {
        Self::with(Prompt::Resume(None))
    }

    /// Goes on with the conversation of the last agent in the cage, with new words, which are sent to its inbox as a
    /// `task_revision`.
    pub fn resume_with(prompt: impl Into<String>) -> Self {
        Self::with(Prompt::Resume(Some(prompt.into())))
    }

    fn with(prompt: Prompt) -> Self {
        Self {
            prompt,
            instructions: true,
            preflight: true,
            env: Vec::new(),
            credential: None,
            limits: Limits::default(),
            arguments: Vec::new(),
            idle_after: None,
            agent: Agent::default(),
        }
    }

    /// Chooses what the agent signs in with.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sets an environment variable of the agent. Like a credential it lives in the environment of the agent's
    /// processes alone.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Passes the credentials and the gateway address on that this process has in its own environment, if it has any;
    /// [`Credential::from_host`] does the same and says when there are none.
    pub fn env_from_host(mut self) -> Self {
        let found = credential::from_host().into_iter();
        self.env.extend(found.map(|(name, value)| (name, value.expose().to_owned())));
        self
    }

    /// Leaves the instructions out that tell the agent how to send messages. Then it sends none, unless the prompt
    /// says how.
    pub fn without_instructions(mut self) -> Self {
        self.instructions = false;
        self
    }

    /// Leaves the check of the hooks out, which starts Claude Code once and takes a second or two.
    pub fn without_preflight(mut self) -> Self {
        self.preflight = false;
        self
    }

    /// Chooses the model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.limits.model = Some(model.into());
        self
    }

    /// Ends the agent's run after so many turns.
    pub fn max_turns(mut self, turns: u32) -> Self {
        self.limits.max_turns = Some(turns);
        self
    }

    /// Ends the agent's run when it has cost so much, in US dollars.
    pub fn max_budget_usd(mut self, budget: f64) -> Self {
        self.limits.max_budget_usd = Some(budget);
        self
    }

    /// Adds words to the agent's command line, for example `["--effort", "high"]`. Everybody on the engine's machine
    /// can read a command line: one that holds the credential is refused. So are options that `cage-poll supervise`
    /// sets itself, such as `--resume`.
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Lets the agent go idle when no message has come so long after a turn. Unless set, two hours in the background
    /// and no time at all in the foreground.
    pub fn idle_after(mut self, time: Duration) -> Self {
        self.idle_after = Some(time);
        self
    }

    /// Chooses the program that works.
    pub fn agent(mut self, agent: Agent) -> Self {
        self.agent = agent;
        self
    }

    /// Checks what can be checked before anything is started.
    pub(crate) fn check(&self) -> Result<(), RequestError> {
        let invalid = |what, reason: String| Err(RequestError::Invalid { what, reason });
        if let Prompt::Text(text) | Prompt::Resume(Some(text)) = &self.prompt {
            check_prompt(text)?;
        }
        if self.limits.max_budget_usd.is_some_and(|budget| !(budget.is_finite() && budget > 0.0)) {
            return invalid("budget", "use a number of US dollars above 0".to_owned());
        }
        if self.idle_after.is_some_and(|time| time > MAX_IDLE_AFTER) {
            return invalid("waiting time", format!("at most {} s are allowed", MAX_IDLE_AFTER.as_secs()));
        }
        let env = self.environment();
        for (name, _) in &env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return invalid("environment variable", format!("{name:?} is no variable name"));
            }
        }
        credential::check_gateway(&env)?;
        self.check_command_line(&env)?;
        match &self.agent {
            Agent::Claude if !self.can_sign_in(&env) => Err(RequestError::NoCredential),
            Agent::Command(argv) if argv.is_empty() => invalid("agent", "the command is empty".to_owned()),
            _ => Ok(()),
        }
    }

    /// Refuses a command line that gives the credential away, or that no program can get.
    fn check_command_line(&self, env: &[(String, String)]) -> Result<(), RequestError> {
        let invalid = |reason: &str| Err(RequestError::Invalid { what: "agent", reason: reason.to_owned() });
        let argv = self.agent_argv();
        if argv.iter().any(|word| word.contains('\0')) {
            return invalid("a word of its command line holds a NUL byte");
        }
        let secrets = env.iter().filter(|(name, value)| credential::is_credential(name) && !value.is_empty());
        for (_, secret) in secrets {
            if argv.iter().any(|word| word.contains(secret)) {
                return invalid("its command line holds the credential, and everybody can read it there");
            }
        }
        Ok(())
    }

    fn can_sign_in(&self, env: &[(String, String)]) -> bool {
        self.credential.as_ref().is_some_and(Credential::is_file) || credential::signs_in(env)
    }

    /// Returns the words for the agent, from the file if they are in one.
    pub(super) fn words(&self) -> Result<Words> {
        match &self.prompt {
            Prompt::Text(text) => Ok(Words::New(text.clone())),
            Prompt::File(path) => read_prompt(path).map(Words::New),
            Prompt::Resume(text) => Ok(Words::Resume(text.clone())),
        }
    }

    pub(super) fn agent_argv(&self) -> Vec<String> {
        self.agent.argv(&self.limits, &self.arguments)
    }

    pub(super) fn resumes(&self) -> bool {
        matches!(self.prompt, Prompt::Resume(_))
    }

    pub(super) fn kind(&self) -> &Agent {
        &self.agent
    }

    pub(super) fn has_instructions(&self) -> bool {
        self.instructions
    }

    pub(super) fn has_preflight(&self) -> bool {
        self.preflight
    }

    pub(super) fn file_credential(&self) -> Option<&Credential> {
        self.credential.as_ref().filter(|credential| credential.is_file())
    }

    /// Returns the variables of the agent, its credential among them.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        let credential = self.credential.iter().flat_map(Credential::env);
        let env = self.env.iter().cloned().chain(credential).collect();
        if self.file_credential().is_some() { env } else { credential::complete(env) }
    }

    pub(super) fn patience(&self) -> Option<Duration> {
        self.idle_after
    }
}

fn check_prompt(prompt: &str) -> Result<(), RequestError> {
    let invalid = |reason: String| Err(RequestError::Invalid { what: "task", reason });
    if prompt.trim().is_empty() {
        return invalid("the prompt is empty".to_owned());
    }
    if prompt.len() > MAX_PROMPT_BYTES {
        let bytes = prompt.len();
        return invalid(format!("the prompt has {bytes} bytes, at most {MAX_PROMPT_BYTES} are allowed"));
    }
    Ok(())
}

fn read_prompt(path: &Path) -> Result<String> {
    let refused = |reason: &str| {
        let reason = format!("`{}` {reason}", path.display());
        RequestError::Invalid { what: "task", reason }
    };
    // Before it is opened: opening a FIFO would wait for its writer.
    if !path.metadata().context("look at", path)?.is_file() {
        return Err(refused("is no regular file").into());
    }
    let mut bytes = Vec::new();
    let file = File::open(path).context("read", path)?;
    file.take(MAX_PROMPT_BYTES as u64 + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() > MAX_PROMPT_BYTES {
        return Err(refused(&format!("has more than the limit of {MAX_PROMPT_BYTES} bytes")).into());
    }
    let text = String::from_utf8(bytes).map_err(|_| refused("is not UTF-8"))?;
    check_prompt(&text)?;
    Ok(text)
}

impl fmt::Debug for Task {
    /// Shows the names of the variables but not their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Task")
            .field("prompt", &self.prompt)
            .field("instructions", &self.instructions)
            .field("preflight", &self.preflight)
            .field("env", &names)
            .field("credential", &self.credential)
            .field("limits", &self.limits)
            .field("arguments", &self.arguments)
            .field("idle_after", &self.idle_after)
            .field("agent", &self.agent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key(task: Task) -> Task {
        task.credential(Credential::api_key("the-key"))
    }

    #[test]
    fn rejects_claude_without_anything_to_sign_in_with() {
        assert_eq!(Task::new("work").check(), Err(RequestError::NoCredential));
        assert_eq!(Task::new("work").env("ANTHROPIC_API_KEY", "").check(), Err(RequestError::NoCredential));
    }

    #[test]
    fn accepts_a_key_a_token_a_file_or_a_gateway() {
        for credential in [
            Credential::api_key("x"),
            Credential::oauth_token("x"),
            Credential::subscription("/any/file"),
            Credential::gateway("http://10.0.0.1"),
        ] {
            assert_eq!(Task::new("work").credential(credential).check(), Ok(()));
        }
        assert_eq!(Task::new("work").env("ANTHROPIC_API_KEY", "x").check(), Ok(()));
    }

    #[test]
    fn accepts_another_program_without_a_credential() {
        assert_eq!(Task::new("work").agent(Agent::Command(vec!["cat".into()])).check(), Ok(()));
        assert!(Task::new("work").agent(Agent::Command(Vec::new())).check().is_err());
    }

    #[test]
    fn rejects_a_prompt_that_is_empty_or_too_long() {
        assert!(with_key(Task::new(" \n")).check().is_err());
        assert!(with_key(Task::resume_with("")).check().is_err());
        assert!(with_key(Task::new("x".repeat(MAX_PROMPT_BYTES + 1))).check().is_err());
        assert!(with_key(Task::new("x".repeat(MAX_PROMPT_BYTES))).check().is_ok());
    }

    #[test]
    fn reads_a_prompt_from_a_file_within_the_limits() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prompt");
        std::fs::write(&file, "do it").unwrap();
        assert_eq!(Task::from_file(&file).words().unwrap(), Words::New("do it".to_owned()));
        for content in [b"  \n".to_vec(), b"\xff".to_vec(), vec![b'x'; MAX_PROMPT_BYTES + 1]] {
            std::fs::write(&file, content).unwrap();
            assert!(Task::from_file(&file).words().is_err());
        }
        assert!(Task::from_file(dir.path()).words().is_err());
        assert!(Task::from_file(dir.path().join("none")).words().is_err());
    }

    #[test]
    fn puts_limits_but_neither_prompt_nor_credential_on_the_command_line() {
        let task = with_key(Task::new("the-prompt"))
            .model("m")
            .max_turns(3)
            .max_budget_usd(1.5)
            .arguments(["--effort", "high"]);
        insta::assert_snapshot!(task.agent_argv().join(" "), @"claude -p --dangerously-skip-permissions --output-format stream-json --verbose --model m --max-turns 3 --max-budget-usd 1.5 --effort high");
    }

    #[test]
    fn rejects_a_credential_on_the_command_line_without_showing_it() {
        let error =
            with_key(Task::new("work")).arguments(["--settings={\"k\":\"the-key\"}"]).check().unwrap_err();
        insta::assert_snapshot!(error, @"invalid agent: its command line holds the credential, and everybody can read it there");
        assert!(with_key(Task::new("work")).arguments(["a\0b"]).check().is_err());
    }

    #[test]
    fn shows_no_value_of_a_variable_in_debug_output() {
        let task = with_key(Task::new("work")).env("CLAUDE_CODE_OAUTH_TOKEN", "the-key");
        let shown = format!("{task:?} {task:#?}");
        assert!(shown.contains("ANTHROPIC_API_KEY") && shown.contains("CLAUDE_CODE_OAUTH_TOKEN"), "{shown}");
        assert!(!shown.contains("the-key"), "{shown}");
    }
}
