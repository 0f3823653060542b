//! `cage logs`.

use std::fmt;

use cage_host::{LogEvent, LogLine, StreamLog};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, FAINT, GOOD, Page, STRONG, Screen, WARN, print};

/// Options of `cage logs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
    /// Go on with what is added, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Print each line as the agent printed it, which is JSON for the most part
    #[arg(short, long)]
    raw: bool,
    /// How many lines of the end
    #[arg(short = 'n', long, default_value_t = 50)]
    lines: usize,
}

/// One event of the agent's log.
#[derive(Debug)]
struct Event(LogEvent);

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        value_of(&self.0).serialize(serializer)
    }
}

fn value_of(event: &LogEvent) -> Value {
    match event {
        LogEvent::Started { session_id, model, tools } => {
            json!({ "event": "started", "session_id": session_id, "model": model, "tools": tools })
        }
        LogEvent::Text(text) => json!({ "event": "text", "text": text }),
        LogEvent::Thinking(text) => json!({ "event": "thinking", "text": text }),
        LogEvent::ToolUse { id, name, input } => {
            json!({ "event": "tool_use", "id": id, "name": name, "input": input })
        }
        LogEvent::ToolResult { id, is_error, text } => {
            json!({ "event": "tool_result", "id": id, "is_error": is_error, "text": text })
        }
        LogEvent::Told(text) => json!({ "event": "told", "text": text }),
        LogEvent::ApiRetry { attempt, status, error } => {
            json!({ "event": "api_retry", "attempt": attempt, "status": status, "error": error })
        }
        LogEvent::Trouble(text) => json!({ "event": "trouble", "text": text }),
        LogEvent::Finished { is_error, text, cost_usd, usage, took, .. } => json!({
            "event": "finished", "is_error": is_error, "text": text, "cost_usd": cost_usd,
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "seconds": took.map(|took| took.as_secs_f64()),
        }),
        LogEvent::Supervisor(text) => json!({ "event": "supervisor", "text": text }),
        LogEvent::Raw(text) => json!({ "event": "raw", "text": text }),
        other => json!({ "event": "other", "text": other.to_string() }),
    }
}

impl Answer for Event {
    fn show(&self, page: &mut Page) -> fmt::Result {
        match &self.0 {
            LogEvent::Text(text) => page.line(text),
            LogEvent::ToolUse { name, .. } => {
                page.styled(STRONG, format_args!("{name:8}"))?;
                let shown = self.0.to_string();
                let input = shown.split_once(": ").map_or(shown.as_str(), |(_, input)| input);
                page.styled(FAINT, format_args!(" {input}"))?;
                page.line("")
            }
            other => {
                page.styled(style(other), other)?;
                page.line("")
            }
        }
    }
}

fn style(event: &LogEvent) -> anstyle::Style {
    match event {
        LogEvent::ToolResult { is_error: true, .. }
        | LogEvent::Trouble(_)
        | LogEvent::Finished { is_error: true, .. } => ALARM,
        LogEvent::ApiRetry { .. } | LogEvent::Supervisor(_) | LogEvent::TooLong | LogEvent::Lost => WARN,
        LogEvent::Finished { .. } => GOOD,
        _ => FAINT,
    }
}

/// Shows the end of the agent's log.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    let log = context.cage(&args.name).await?.log();
    if args.raw {
        return run_raw(args, screen, &log).await;
    }
    // Begun first, so that nothing falls between the end of the one and the beginning of the other.
    let mut follower = args.follow.then(|| log.follow());
    show(screen, log.tail(args.lines).await?)?;
    while let Some(follower) = &mut follower
        && let Some(event) = follower.next().await
    {
        show(screen, [event?])?;
    }
    Ok(Exit::Ok)
}

/// Shows the lines as they are.
async fn run_raw(args: &Args, screen: Screen, log: &StreamLog) -> Result<Exit, Failure> {
    let mut follower = args.follow.then(|| log.follow_lines());
    for line in log.tail_lines(args.lines).await? {
        show_raw(screen, &line)?;
    }
    while let Some(follower) = &mut follower
        && let Some(line) = follower.next().await
    {
        show_raw(screen, &line?)?;
    }
    Ok(Exit::Ok)
}

/// What is no line of the log is not told among them.
fn show_raw(screen: Screen, line: &LogLine) -> Result<(), Failure> {
    match line {
        LogLine::Text(line) => print(&format!("{line}\n")),
        other => {
            screen.note(&other.to_string());
            Ok(())
        }
    }
}

fn show(screen: Screen, events: impl IntoIterator<Item = LogEvent>) -> Result<(), Failure> {
    events.into_iter().try_for_each(|event| screen.stream(&Event(event)))
}
