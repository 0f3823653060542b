//! The timeline as a picture.

use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};

use super::html::escape;
use super::run_report::Grade;
use super::timeline::{Moment, Track};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 30.0;
const HOST_Y: f64 = 55.0;
const AGENT_Y: f64 = 115.0;
const AXIS_Y: f64 = 155.0;

/// Marks on the axis.
const TICKS: u32 = 5;

/// Colours by the name of their use. Those of marks stand out on white and on black, and differ in shape as well.
const STYLE: &str = "\
.cage-timeline{--ink:#1f2328;--faint:#8c959f;--paper:#ffffff;--good:#1a7f37;--unknown:#6e7781;--concern:#9a6700;--bad:#cf222e;\
font:13px system-ui,sans-serif}\
@media(prefers-color-scheme:dark){.cage-timeline{--ink:#e6edf3;--faint:#6e7681;--paper:#0d1117;--good:#3fb950;\
--unknown:#9198a1;--concern:#d29922;--bad:#ff7b72}}\
.cage-timeline text{fill:var(--ink)}.cage-timeline line{stroke:var(--faint)}.cage-timeline .paper{fill:var(--paper)}\
.cage-timeline .good{fill:var(--good)}.cage-timeline .unknown{fill:var(--unknown)}\
.cage-timeline .concern{fill:var(--concern)}.cage-timeline .bad{fill:var(--bad)}";

/// The time that the picture covers.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: DateTime<Utc>,
    seconds: f64,
}

impl Span {
    fn of(moments: &[Moment]) -> Option<Self> {
        let times = || moments.iter().map(|moment| moment.at.instant());
        let (begin, end) = (times().min()?, times().max()?);
        // A span without length would put everything at no place.
        Some(Self { begin, seconds: (end - begin).as_seconds_f64().max(0.001) })
    }

    fn x(self, at: DateTime<Utc>) -> f64 {
        let part = (at - self.begin).as_seconds_f64() / self.seconds;
        LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }
}

/// Draws what happened when: what the host did above, what the agent did below.
pub(super) fn draw(moments: &[Moment]) -> String {
    let mut svg = String::new();
    // Writing into a string does not fail.
    let _ = write_svg(&mut svg, moments);
    svg
}

fn write_svg(svg: &mut String, moments: &[Moment]) -> fmt::Result {
    write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"cage-timeline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"Timeline of the run\"><style>{STYLE}</style>\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>"
    )?;
    for (track, y) in [(Track::Host, HOST_Y), (Track::Agent, AGENT_Y)] {
        let end = WIDTH - RIGHT;
        write!(svg, "<text x=\"12\" y=\"{}\">{}</text>", y + 4.0, track.word())?;
        write!(svg, "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{end}\" y2=\"{y}\"/>")?;
    }
    match Span::of(moments) {
        Some(span) => {
            write_axis(svg, span)?;
            moments.iter().try_for_each(|moment| write_mark(svg, span, moment))?;
        }
        None => write!(svg, "<text x=\"{LEFT}\" y=\"{AXIS_Y}\">nothing happened at a known time</text>")?,
    }
    svg.write_str("</svg>")
}

fn write_axis(svg: &mut String, span: Span) -> fmt::Result {
    for tick in 0..=TICKS {
        let part = f64::from(tick) / f64::from(TICKS);
        let x = LEFT + part * (WIDTH - LEFT - RIGHT);
        let label = elapsed(part * span.seconds);
        write!(
            svg,
            "<line x1=\"{x:.1}\" y1=\"{}\" x2=\"{x:.1}\" y2=\"{AXIS_Y}\" opacity=\"0.35\"/>",
            HOST_Y - 25.0
        )?;
        write!(svg, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", AXIS_Y + 20.0)?;
    }
    Ok(())
}

fn write_mark(svg: &mut String, span: Span, moment: &Moment) -> fmt::Result {
    let x = span.x(moment.at.instant());
    let y = if moment.track == Track::Host { HOST_Y } else { AGENT_Y };
    let class = moment.grade.word();
    match moment.grade {
        Grade::Bad => write!(svg, "<path class=\"{class}\" d=\"M{x:.1} {:.1}l9 9l-9 9l-9-9z\">", y - 9.0)?,
        Grade::Concern => write!(svg, "<path class=\"{class}\" d=\"M{x:.1} {:.1}l8 14h-16z\">", y - 9.0)?,
        _ => write!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y}\" r=\"6\">")?,
    }
    let since = elapsed((moment.at.instant() - span.begin).as_seconds_f64());
    write!(svg, "<title>{since} {}: {}</title>", escape(&moment.kind), escape(&moment.text))?;
    svg.write_str(if matches!(moment.grade, Grade::Bad | Grade::Concern) { "</path>" } else { "</circle>" })
}

/// Writes the time since the beginning.
fn elapsed(seconds: f64) -> String {
    format!("+{}", super::evidence::in_words(seconds))
}
