//! The text that tells an agent how to report. It is made from the table of message types, so that it cannot drift.

use crate::message::{Direction, Kind, Member, Shape};

/// Returns what is appended to each task: how to report, how often, and that waiting is not the agent's job.
pub fn instructions() -> String {
    let reports: Vec<String> = REPORTS.into_iter().map(report).collect();
    let answers: Vec<String> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.direction() == Direction::In && *kind != Kind::Ack)
        .map(|kind| format!("`{}` ({})", kind.name(), kind.about()))
        .collect();
    format!(
        "{INTRODUCTION}\n\n{}\n\n{RULES}\n- {} arrive by themselves, at the end of a tool call or as your next turn. \
         Waiting is not your job: go on with what you can do; when there is nothing, end your turn.\n{OLDER_PROMPTS}\n",
        reports.join("\n"),
        answers.join(" and "),
    )
}

/// What an agent sends itself. `going_idle` is the runtime's.
const REPORTS: [Kind; 4] = [Kind::ProgressUpdate, Kind::InfoRequest, Kind::Error, Kind::TaskComplete];

const INTRODUCTION: &str = "\
# Reporting

You work alone in a closed container. Nobody sees what you write here; your host sees only what you send with the shell \
command `cage-send`:";

const RULES: &str = "\
- Send a `progress_update` when you begin and then every few minutes, before each longer step.
- Need a decision, a file or a fact from outside? Send one `info_request` and give it a request id of its own.
- Send an `error` when something goes wrong that your host should know; say whether you go on.
- When the task is done, or you give it up, send exactly one `task_complete` as the last thing before you end your turn: \
the summary says what you did and what is left, the exit code is 0 only if the task is done. Without it your work counts \
as not delivered. The same holds for each later revision.
- A message is sent when `cage-send` exits 0. Otherwise it says what to write instead. `cage-send TYPE --help` shows more. \
Put text in double quotes when there is an apostrophe in it; long or awkward text goes as JSON into a file, and \
`cage-send TYPE @FILE` sends it.";

const OLDER_PROMPTS: &str = "\
- If your task tells you to wait with `cage-poll` or `cage-wait`, that works too: it prints the next message and exits.";

/// One command with its flags, and what it is for.
fn report(kind: Kind) -> String {
    let flags: Vec<String> = kind.members().iter().map(flag).collect();
    format!("    cage-send {} {}\n        {}", kind.name(), flags.join(" "), kind.about())
}

fn flag(member: &Member) -> String {
    let value = match member.shape {
        Shape::Text | Shape::TextList | Shape::FileList => "'…'",
        Shape::Boolean => "true|false",
        Shape::Integer | Shape::Number => "0",
    };
    let flag = format!("--{} {value}", member.name.replace('_', "-"));
    if member.required { flag } else { format!("[{flag}]") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_report_with_its_members_and_each_answer() {
        insta::assert_snapshot!(instructions());
    }
}
