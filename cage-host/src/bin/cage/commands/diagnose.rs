//! `cage diagnose`.

use std::fmt;

use cage_host::{Activity, Cage, Diagnosis, Spent};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Answer, FAINT, Page, STRONG};

/// Options of `cage diagnose`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    name: String,
}

/// What a cage does, what that rests on, and what to do.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosed {
    name: String,
    activity: &'static str,
    description: String,
    quiet_seconds: Option<u64>,
    last_tool: Option<String>,
    session_id: Option<String>,
    spent: Option<Spending>,
    evidence: Vec<String>,
    suggestion: String,
}

#[derive(Debug, Serialize)]
struct Spending {
    cost_usd: f64,
    turns: u64,
    input_tokens: u64,
    output_tokens: u64,
}

impl From<Spent> for Spending {
    fn from(spent: Spent) -> Self {
        Self {
            cost_usd: spent.cost_usd,
            turns: spent.turns,
            input_tokens: spent.tokens.input_tokens,
            output_tokens: spent.tokens.output_tokens,
        }
    }
}

impl Diagnosed {
    /// Looks into a cage.
    pub(super) async fn of(cage: &Cage) -> Result<Self, Failure> {
        let Diagnosis { status, evidence, suggestion, .. } = cage.diagnose().await?;
        Ok(Self {
            name: cage.name().to_string(),
            activity: name_of(&status.activity),
            description: status.activity.to_string(),
            quiet_seconds: status.quiet_for.map(|quiet| quiet.as_secs()),
            last_tool: status.last_tool,
            session_id: status.session_id,
            spent: status.spent.map(Spending::from),
            evidence: evidence.iter().map(ToString::to_string).collect(),
            suggestion: suggestion.to_string(),
        })
    }
}

fn name_of(activity: &Activity) -> &'static str {
    match activity {
        Activity::Starting => "starting",
        Activity::Working => "working",
        Activity::WaitingForAnswer(_) => "waiting_for_answer",
        Activity::Silent { .. } => "silent",
        Activity::Complete { .. } => "complete",
        Activity::Idle { .. } => "idle",
        Activity::Crashed { .. } => "crashed",
        Activity::Stopped => "stopped",
        Activity::Paused => "paused",
        Activity::Gone => "gone",
        _ => "unknown",
    }
}

impl Answer for Diagnosed {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(STRONG, &self.name)?;
        page.line(format_args!("  {}", self.description))?;
        self.evidence.iter().try_for_each(|seen| page.line(format_args!("  - {seen}")))?;
        if let Some(spent) = &self.spent {
            page.styled(FAINT, format_args!("  {:.4} USD in {} turns", spent.cost_usd, spent.turns))?;
            page.line("")?;
        }
        page.line(format_args!("next:  {}", self.suggestion))
    }
}

/// Says what a cage does and what to do about it.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let cage = context.cage(&args.name).await?;
    context.screen().answer(&Diagnosed::of(&cage).await?)?;
    Ok(Exit::Ok)
}
