//! `cage doctor`.

use std::fmt;

use anstyle::Style;
use cage_host::{Report, Verdict};
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, FAINT, GOOD, Page, Progress, WARN};

/// The column behind verdict and subject.
const BESIDE_SUBJECT: usize = 26;

/// Options of `cage doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

#[derive(Debug, Serialize)]
struct Examined {
    verdict: Verdict,
    #[serde(flatten)]
    report: Report,
}

impl Answer for Examined {
    fn show(&self, page: &mut Page) -> fmt::Result {
        for finding in &self.report.findings {
            let style = match finding.verdict {
                Verdict::Good => GOOD,
                Verdict::Warning => WARN,
                Verdict::Bad => ALARM,
            };
            page.styled(style, format_args!("{:8}", finding.verdict))?;
            page.text(format_args!(" {:16} ", finding.subject))?;
            page.prose(Style::new(), BESIDE_SUBJECT, &finding.found)?;
            if let Some(advice) = &finding.advice {
                page.text(format_args!("{:BESIDE_SUBJECT$}", ""))?;
                page.prose(FAINT, BESIDE_SUBJECT, &format!("→ {advice}"))?;
            }
        }
        Ok(())
    }
}

/// Examines the engine that cages would be created in.
pub(crate) async fn run(_: &Args, context: &Context) -> Result<Exit, Failure> {
    let progress = Progress::begin(context.screen(), "asking the engine …");
    let report = cage_host::doctor().await;
    drop(progress);
    let verdict = report.verdict();
    context.screen().answer(&Examined { verdict, report })?;
    Ok(if verdict == Verdict::Bad { Exit::Failed } else { Exit::Ok })
}
