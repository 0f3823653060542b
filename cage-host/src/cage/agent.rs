//! Which program works, and its command line.

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

/// What Claude Code may spend, in its own terms.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Limits {
    pub(super) model: Option<String>,
    pub(super) max_turns: Option<u32>,
    pub(super) max_budget_usd: Option<f64>,
}

impl Agent {
    /// Returns the command line. It holds nothing secret and not the prompt.
    pub(super) fn argv(&self, limits: &Limits, arguments: &[String]) -> Vec<String> {
        let mut argv = match self {
            Self::Claude => claude_argv(limits),
            Self::Command(argv) => argv.clone(),
        };
        argv.extend_from_slice(arguments);
        argv
    }
}

fn claude_argv(limits: &Limits) -> Vec<String> {
    let mut argv: Vec<String> =
        ["claude", "-p", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"]
            .map(str::to_owned)
            .into();
    let options = [
        ("--model", limits.model.clone()),
        ("--max-turns", limits.max_turns.map(|turns| turns.to_string())),
        ("--max-budget-usd", limits.max_budget_usd.map(|budget| budget.to_string())),
    ];
    for (option, value) in options {
        argv.extend(value.into_iter().flat_map(|value| [option.to_owned(), value]));
    }
    argv
}
