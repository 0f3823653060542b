//! `cage report`.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anstyle::Style;
use cage_host::{Comparison, Difference, Grade, Moment, RunReport, Section, Trouble};

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{ALARM, Answer, FAINT, GOOD, NAME, Page, Progress, STRONG, WARN, print};

/// Bytes of a report that was kept: more than any that is written has.
const MAX_REPORT_BYTES: u64 = 16 * 1024 * 1024;

/// Moments of the timeline that are shown on a terminal, half of them the first ones.
const SHOWN_MOMENTS: usize = 40;

/// Width of the line that stands for the whole time.
const LINE_CELLS: usize = 60;

/// Options of `cage report`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the cage
    #[arg(required_unless_present = "compare")]
    name: Option<String>,
    /// Compare two runs: names of cages, or files with what `cage report --json` printed
    #[arg(long, num_args = 2, value_names = ["A", "B"], conflicts_with_all = ["name", "html"])]
    compare: Vec<String>,
    /// Folder to compare the project with, to see what an export would bring
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Print one HTML page
    #[arg(long)]
    html: bool,
}

impl Answer for RunReport {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.styled(NAME, &self.cage)?;
        page.line(format_args!(": {}", self.outcome.summary))?;
        for (name, section) in self.sections() {
            show_section(page, name, section)?;
        }
        page.line("")?;
        page.styled(STRONG, "numbers\n")?;
        let known =
            self.measures.named().into_iter().filter_map(|measured| Some((measured, measured.value?)));
        known.into_iter().try_for_each(|(measured, value)| {
            page.line(format_args!("  {:30} {}", measured.name, measured.shown(value)))
        })?;
        show_troubles(page, &self.troubles, self.troubles_more)?;
        show_timeline(page, &self.timeline, self.timeline_more)
    }
}

fn style(grade: Grade) -> Style {
    match grade {
        Grade::Good => GOOD,
        Grade::Concern => WARN,
        Grade::Bad => ALARM,
        _ => FAINT,
    }
}

fn show_section(page: &mut Page, name: &str, section: &Section) -> fmt::Result {
    page.line("")?;
    page.styled(STRONG, format_args!("{name:16}"))?;
    page.styled(style(section.grade), section.grade.word())?;
    page.line("")?;
    for remark in &section.remarks {
        page.styled(style(remark.grade), format_args!("  {}", sign(remark.grade)))?;
        page.line(format_args!(" {}", remark.text))?;
    }
    Ok(())
}

/// A sign for a grade, for where there is no colour.
fn sign(grade: Grade) -> char {
    match grade {
        Grade::Good => '+',
        Grade::Concern => '!',
        Grade::Bad => 'x',
        _ => '?',
    }
}

fn show_troubles(page: &mut Page, troubles: &[Trouble], more: u64) -> fmt::Result {
    if troubles.is_empty() {
        return Ok(());
    }
    page.line("")?;
    page.styled(STRONG, "what went wrong\n")?;
    for trouble in troubles {
        let end = match trouble.recovered {
            Some(true) => "went on",
            Some(false) => "did not go on",
            None => "unknown what became of it",
        };
        page.styled(ALARM, format_args!("  {}", trouble.kind))?;
        page.text(format_args!(": {}", trouble.text))?;
        page.styled(FAINT, format_args!("  ({end})"))?;
        page.line("")?;
    }
    if more > 0 { page.line(format_args!("  and {more} more")) } else { Ok(()) }
}

fn show_timeline(page: &mut Page, moments: &[Moment], more: u64) -> fmt::Result {
    page.line("")?;
    page.styled(STRONG, "timeline\n")?;
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return page.line("  nothing happened at a known time");
    };
    let span = seconds(first, last);
    page.line(format_args!("  {}", whole_line(moments, span)))?;
    let left_out = moments.len().saturating_sub(SHOWN_MOMENTS);
    for (index, moment) in moments.iter().enumerate() {
        if index == SHOWN_MOMENTS / 2 && left_out > 0 {
            page.styled(FAINT, format_args!("  … {left_out} moments; --html and --json have them\n"))?;
        }
        if index < SHOWN_MOMENTS / 2 || index >= SHOWN_MOMENTS / 2 + left_out {
            show_moment(page, moment, seconds(first, moment))?;
        }
    }
    if more > 0 { page.line(format_args!("  {more} earlier ones are left out")) } else { Ok(()) }
}

fn show_moment(page: &mut Page, moment: &Moment, since: f64) -> fmt::Result {
    page.styled(FAINT, format_args!("  {} {since:>+9.1} s", moment.at.instant().format("%H:%M:%S")))?;
    page.text(format_args!("  {:6}", moment.track.word()))?;
    page.styled(style(moment.grade), &moment.kind)?;
    if moment.text.is_empty() {
        return page.line("");
    }
    page.line(format_args!(
        "{:1$} {2}",
        "",
        12_usize.saturating_sub(moment.kind.chars().count()),
        moment.text
    ))
}

fn seconds(from: &Moment, to: &Moment) -> f64 {
    (to.at.instant() - from.at.instant()).as_seconds_f64()
}

/// The whole time as a line of signs, each for what is worst in its part.
fn whole_line(moments: &[Moment], span: f64) -> String {
    let mut cells = vec![None::<Grade>; LINE_CELLS];
    for moment in moments {
        let part = seconds(&moments[0], moment) / span.max(0.001);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of at most 60 cells"
        )]
        let cell = (part.clamp(0.0, 1.0) * (LINE_CELLS - 1) as f64) as usize;
        cells[cell] = cells[cell].max(Some(moment.grade));
    }
    let line: String = cells.into_iter().map(|cell| cell.map_or('-', sign)).collect();
    format!("|{line}| {span:.1} s")
}

impl Answer for Comparison {
    fn show(&self, page: &mut Page) -> fmt::Result {
        page.line(format_args!("A {}: {}\nB {}: {}\n", self.a, self.outcome_a, self.b, self.outcome_b))?;
        let sections = self.sections.iter().map(|section| {
            let grade = |grade: Grade| (style(grade), grade.word().to_owned());
            vec![
                (Style::new(), section.name.to_owned()),
                grade(section.a),
                grade(section.b),
                (Style::new(), String::new()),
            ]
        });
        let rows: Vec<_> = sections
            .chain(self.differences.iter().filter(|difference| known(difference)).map(cells))
            .collect();
        page.table(&["", "A", "B", ""], &rows)
    }
}

fn known(difference: &Difference) -> bool {
    difference.a.is_some() || difference.b.is_some()
}

fn cells(difference: &Difference) -> Vec<(Style, String)> {
    let [a, b] = difference.shown();
    let better = match difference.better {
        Some(true) => (GOOD, "B is better".to_owned()),
        Some(false) => (WARN, "A is better".to_owned()),
        None => (Style::new(), String::new()),
    };
    vec![(Style::new(), difference.name.to_owned()), (Style::new(), a), (Style::new(), b), better]
}

/// Says what a run was like, or compares two.
pub(crate) async fn run(args: &Args, context: &Context) -> Result<Exit, Failure> {
    let screen = context.screen();
    if args.html && screen.is_json() {
        return Err(Failure::Usage("--html and --json cannot both be printed".to_owned()));
    }
    if let [a, b] = &args.compare[..] {
        let (a, b) = (either(a, args, context).await?, either(b, args, context).await?);
        screen.answer(&Comparison::of(&a, &b))?;
        return Ok(Exit::Ok);
    }
    let report = look(args.name.as_deref().unwrap_or_default(), args, context).await?;
    if args.html {
        print(&report.to_html())?;
    } else {
        screen.answer(&report)?;
    }
    Ok(Exit::Ok)
}

async fn look(name: &str, args: &Args, context: &Context) -> Result<RunReport, Failure> {
    let cage = context.cage(name).await?;
    let _progress = Progress::begin(context.screen(), &format!("looking at {name} …"));
    Ok(cage.report(args.output_dir.as_deref()).await?)
}

/// Reads a report that was kept, or looks at a cage. No name of a cage has a dot or a slash.
async fn either(which: &str, args: &Args, context: &Context) -> Result<RunReport, Failure> {
    if which.contains(['.', '/']) { read(Path::new(which)) } else { look(which, args, context).await }
}

fn read(path: &Path) -> Result<RunReport, Failure> {
    let failed = |error| Failure::File { path: path.to_owned(), error };
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_REPORT_BYTES).read_to_string(&mut text))
        .map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))
}
