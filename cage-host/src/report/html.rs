//! The report as one page.

use std::fmt::{self, Display, Write as _};

use super::evidence::in_words;
use super::run_report::{RunReport, Section};
use super::timeline::Moment;
use super::troubles::Trouble;

/// Nothing is loaded and nothing runs, whatever stands in the page.
const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
<meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:light-dark(#1f2328,#e6edf3);background:light-dark(#ffffff,#0d1117)}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem;\
border-bottom:1px solid light-dark(#d0d7de,#30363d);overflow-wrap:anywhere}\
td.number{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}ul{margin:.2rem 0;padding-left:1.2rem}\
.good{color:light-dark(#1a7f37,#3fb950)}.unknown{color:light-dark(#6e7781,#9198a1)}\
.concern{color:light-dark(#9a6700,#d29922)}.bad{color:light-dark(#cf222e,#ff7b72)}svg{width:100%;height:auto}\
svg .good,svg .unknown,svg .concern,svg .bad{color:inherit}";

/// Escapes a text for markup, attributes included.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes the whole page.
pub(super) fn page(report: &RunReport) -> String {
    let mut html = String::new();
    // Writing into a string does not fail.
    let _ = write_page(&mut html, report);
    html
}

fn write_page(html: &mut String, report: &RunReport) -> fmt::Result {
    let (cage, summary) = (escape(&report.cage), escape(&report.outcome.summary));
    write!(html, "{HEAD}<title>cage {cage}</title><style>{STYLE}</style></head><body>")?;
    write!(html, "<h1>Run of {cage}</h1><p><strong>{summary}</strong><br>")?;
    write!(html, "Looked at {}</p>", escape(&report.taken_at.to_string()))?;
    html.write_str(&report.timeline_svg())?;
    report.sections().into_iter().try_for_each(|(name, section)| write_section(html, name, section))?;
    write_measures(html, report)?;
    write_troubles(html, report)?;
    write_timeline(html, report)?;
    html.write_str("</body></html>\n")
}

fn write_section(html: &mut String, name: &str, section: &Section) -> fmt::Result {
    let word = section.grade.word();
    write!(html, "<h2>{name} <span class=\"{word}\">{word}</span></h2><ul>")?;
    for remark in &section.remarks {
        write!(html, "<li class=\"{}\">{}</li>", remark.grade.word(), escape(&remark.text))?;
    }
    html.write_str("</ul>")
}

fn write_measures(html: &mut String, report: &RunReport) -> fmt::Result {
    html.write_str("<h2>numbers</h2><table>")?;
    for measured in report.measures.named() {
        let value = measured.value.map_or_else(|| "not known".to_owned(), |value| measured.shown(value));
        row(html, &[&measured.name, &value])?;
    }
    html.write_str("</table>")
}

fn write_troubles(html: &mut String, report: &RunReport) -> fmt::Result {
    if report.troubles.is_empty() {
        return Ok(());
    }
    html.write_str("<h2>what went wrong</h2><table>")?;
    report.troubles.iter().try_for_each(|trouble| write_trouble(html, trouble))?;
    html.write_str("</table>")?;
    more(html, report.troubles_more)
}

fn write_trouble(html: &mut String, trouble: &Trouble) -> fmt::Result {
    let at = trouble.at.as_ref().map_or_else(String::new, ToString::to_string);
    let end = match (trouble.recovered, trouble.recovered_seconds) {
        (Some(true), Some(seconds)) => format!("went on after {}", in_words(seconds)),
        (Some(true), None) => "went on".to_owned(),
        (Some(false), _) => "did not go on".to_owned(),
        (None, _) => "cannot be told".to_owned(),
    };
    row(html, &[&at, &trouble.kind, &trouble.text, &end])
}

fn write_timeline(html: &mut String, report: &RunReport) -> fmt::Result {
    html.write_str("<h2>timeline</h2>")?;
    more(html, report.timeline_more)?;
    html.write_str("<table>")?;
    for Moment { at, track, kind, text, .. } in &report.timeline {
        row(html, &[at, &track.word(), kind, text])?;
    }
    html.write_str("</table>")
}

fn row(html: &mut String, cells: &[&dyn Display]) -> fmt::Result {
    html.write_str("<tr>")?;
    cells.iter().try_for_each(|cell| write!(html, "<td>{}</td>", escape(&cell.to_string())))?;
    html.write_str("</tr>")
}

fn more(html: &mut String, more: u64) -> fmt::Result {
    if more == 0 { Ok(()) } else { write!(html, "<p>{more} more are left out</p>") }
}
