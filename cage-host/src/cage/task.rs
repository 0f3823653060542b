//! What an agent is launched with.

use std::fmt;
use std::time::Duration;

use crate::error::RequestError;

/// Variables that sign the agent in.
const CREDENTIALS: [&str; 3] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];

/// The address of a gateway, which may sign in on the agent's behalf.
const BASE_URL: &str = "ANTHROPIC_BASE_URL";

/// Largest prompt, in bytes: far above any model's context, far below what hurts.
pub const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;

/// Longest time after which an agent goes idle: a week, which is what `cage-poll` accepts.
const MAX_IDLE_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Says whether a variable holds a credential of the agent.
pub(crate) fn is_credential(variable: &str) -> bool {
    CREDENTIALS.contains(&variable)
}

/// Which program works on the task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Agent {
    /// Claude Code, without a terminal.
    #[default]
    Claude,
    /// Any other program; it reads the prompt on its standard input.
    Command(Vec<String>),
}

/// A piece of work for an agent, and what it may spend on it.
///
/// ```
/// use std::time::Duration;
/// use cage_host::Task;
///
/// let task = Task::new("add a --json flag").env("ANTHROPIC_API_KEY", "sk-…").idle_after(Duration::from_secs(3600));
/// assert!(!format!("{task:?}").contains("sk-"));
/// ```
#[derive(Clone)]
#[must_use]
pub struct Task {
    prompt: String,
    env: Vec<(String, String)>,
    model: Option<String>,
    max_turns: Option<u32>,
    max_budget_usd: Option<f64>,
    idle_after: Option<Duration>,
    agent: Agent,
}

impl Task {
    /// Describes work in the words that the agent gets; how to send messages is added to them.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            env: Vec::new(),
            model: None,
            max_turns: None,
            max_budget_usd: None,
            idle_after: None,
            agent: Agent::default(),
        }
    }

    /// Sets an environment variable of the agent. This is where credentials go: they live in the environment of the
    /// agent's processes alone.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Passes the credentials and the gateway address on that this process has in its own environment.
    pub fn env_from_host(mut self) -> Self {
        for name in CREDENTIALS.into_iter().chain([BASE_URL]) {
            if let Ok(value) = std::env::var(name) {
                self.env.push((name.to_owned(), value));
            }
        }
        self
    }

    /// Chooses the model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Ends the agent's run after so many turns.
    pub fn max_turns(mut self, turns: u32) -> Self {
        self.max_turns = Some(turns);
        self
    }

    /// Ends the agent's run when it has cost so much, in US dollars.
    pub fn max_budget_usd(mut self, budget: f64) -> Self {
        self.max_budget_usd = Some(budget);
        self
    }

    /// Lets the agent go idle when no message has come so long after a turn; two hours unless set.
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
        if self.prompt.trim().is_empty() {
            return invalid("task", "the prompt is empty".to_owned());
        }
        if self.prompt.len() > MAX_PROMPT_BYTES {
            let bytes = self.prompt.len();
            return invalid(
                "task",
                format!("the prompt has {bytes} bytes, at most {MAX_PROMPT_BYTES} are allowed"),
            );
        }
        if self.max_budget_usd.is_some_and(|budget| !(budget.is_finite() && budget > 0.0)) {
            return invalid("budget", "use a number of US dollars above 0".to_owned());
        }
        if self.idle_after.is_some_and(|time| time > MAX_IDLE_AFTER) {
            return invalid("waiting time", format!("at most {} s are allowed", MAX_IDLE_AFTER.as_secs()));
        }
        match &self.agent {
            Agent::Claude if !self.can_sign_in() => Err(RequestError::NoCredential),
            Agent::Command(argv) if argv.is_empty() => invalid("agent", "the command is empty".to_owned()),
            _ => Ok(()),
        }
    }

    fn can_sign_in(&self) -> bool {
        self.env.iter().any(|(name, value)| (is_credential(name) || name == BASE_URL) && !value.is_empty())
    }

    /// Returns the agent's command line. It holds nothing secret and not the prompt.
    pub(crate) fn agent_argv(&self) -> Vec<String> {
        let Agent::Command(argv) = &self.agent else { return self.claude_argv() };
        argv.clone()
    }

    fn claude_argv(&self) -> Vec<String> {
        let mut argv: Vec<String> =
            ["claude", "-p", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"]
                .map(str::to_owned)
                .into();
        let options = [
            ("--model", self.model.clone()),
            ("--max-turns", self.max_turns.map(|turns| turns.to_string())),
            ("--max-budget-usd", self.max_budget_usd.map(|budget| budget.to_string())),
        ];
        for (option, value) in options {
            argv.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
        }
        argv
    }

    pub(crate) fn kind(&self) -> &Agent {
        &self.agent
    }

    pub(crate) fn prompt(&self) -> &str {
        &self.prompt
    }

    pub(crate) fn environment(&self) -> &[(String, String)] {
        &self.env
    }

    pub(crate) fn patience(&self) -> Option<Duration> {
        self.idle_after
    }
}

impl fmt::Debug for Task {
    /// Shows the names of the variables but not their values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env.iter().map(|(name, _)| name).collect();
        f.debug_struct("Task")
            .field("prompt", &self.prompt)
            .field("env", &names)
            .field("model", &self.model)
            .field("max_turns", &self.max_turns)
            .field("max_budget_usd", &self.max_budget_usd)
            .field("idle_after", &self.idle_after)
            .field("agent", &self.agent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_claude_without_anything_to_sign_in_with() {
        assert_eq!(Task::new("work").check(), Err(RequestError::NoCredential));
        assert_eq!(Task::new("work").env("ANTHROPIC_API_KEY", "").check(), Err(RequestError::NoCredential));
    }

    #[test]
    fn accepts_a_key_a_token_or_a_gateway() {
        for name in ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_BASE_URL"] {
            assert_eq!(Task::new("work").env(name, "x").check(), Ok(()));
        }
    }

    #[test]
    fn accepts_another_program_without_a_credential() {
        assert_eq!(Task::new("work").agent(Agent::Command(vec!["cat".into()])).check(), Ok(()));
        assert!(Task::new("work").agent(Agent::Command(Vec::new())).check().is_err());
    }

    #[test]
    fn rejects_a_prompt_that_is_empty_or_too_long() {
        let key = |task: Task| task.env("ANTHROPIC_API_KEY", "x");
        assert!(key(Task::new(" \n")).check().is_err());
        assert!(key(Task::new("x".repeat(MAX_PROMPT_BYTES + 1))).check().is_err());
    }

    #[test]
    fn puts_limits_but_neither_prompt_nor_credential_on_the_command_line() {
        let task = Task::new("the-prompt")
            .env("ANTHROPIC_API_KEY", "the-key")
            .model("m")
            .max_turns(3)
            .max_budget_usd(1.5);
        insta::assert_snapshot!(task.agent_argv().join(" "), @"claude -p --dangerously-skip-permissions --output-format stream-json --verbose --model m --max-turns 3 --max-budget-usd 1.5");
    }

    #[test]
    fn shows_no_value_of_a_variable_in_debug_output() {
        let shown = format!("{:?}", Task::new("work").env("ANTHROPIC_API_KEY", "the-key"));
        assert!(shown.contains("ANTHROPIC_API_KEY") && !shown.contains("the-key"), "{shown}");
    }
}
