//! The picture of the dashboard.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Cell, Paragraph, Row as TableRow, Table, TableState, Wrap};

use super::model::{Look, Mode, Model, Row, Seen};
use crate::output::{bytes_in_words, one_line};

const HEAD: [&str; 7] = ["NAME", "STATE", "PROGRESS", "SILENT", "TURNS", "COST", "DISK"];

/// Characters of a name that are shown at the most.
const NAME_CHARS: usize = 24;

/// What the list says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Texts {
    title: String,
    rows: Vec<[String; HEAD.len()]>,
}

/// Returns what the list says. Whatever else is shown changes only with a key, or with an answer to one.
pub(super) fn texts(model: &Model) -> Texts {
    let rows = model.cages.iter().flatten().map(|row| cells(model, row)).collect();
    Texts { title: title(model), rows }
}

/// Draws everything.
pub(super) fn draw(model: &Model, frame: &mut Frame<'_>) {
    let areas = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(3),
        Constraint::Length(1),
        Constraint::Length(1),
    ]);
    let [head, body, notice, keys] = areas.areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let Texts { title, rows } = texts(model);
    frame.render_widget(Line::styled(title, bold), head);
    match &model.mode {
        Mode::Reading { title, lines, from } => read(frame, body, title, &lines[(*from).min(lines.len())..]),
        _ => table(model, rows, frame, body),
    }
    frame.render_widget(Line::from(prompt(model)), notice);
    frame.render_widget(Line::styled(help(&model.mode), Style::new().add_modifier(Modifier::DIM)), keys);
}

fn title(model: &Model) -> String {
    let Some(rows) = &model.cages else { return "cage watch: looking …".to_owned() };
    // An empty sum of floats is -0.
    let spent = rows.iter().filter_map(|row| seen(row)?.cost_usd).fold(0.0, |sum, cost| sum + cost);
    let at_work = rows.iter().filter(|row| seen(row).is_some_and(|seen| seen.state == "working")).count();
    format!("cage watch: {} cages, {at_work} at work, ${spent:.2}", rows.len())
}

fn seen(row: &Row) -> Option<&Seen> {
    if let Look::Seen(seen) = &row.look { Some(seen) } else { None }
}

fn table(model: &Model, rows: Vec<[String; HEAD.len()]>, frame: &mut Frame<'_>, area: Rect) {
    if rows.is_empty() && model.cages.is_some() {
        return frame.render_widget(Paragraph::new("no cages; cage create --dir . makes one"), area);
    }
    // Names take no more room than they need, so that progress has the rest.
    let longest = rows.iter().map(|[name, ..]| name.chars().count()).max().unwrap_or_default();
    let widths = [
        Constraint::Length(longest.clamp(HEAD[0].len(), NAME_CHARS).try_into().unwrap_or(u16::MAX)),
        Constraint::Length(11),
        Constraint::Min(8),
        Constraint::Length(6),
        Constraint::Length(5),
        Constraint::Length(7),
        Constraint::Length(8),
    ];
    let head = TableRow::new(HEAD).style(Style::new().add_modifier(Modifier::DIM));
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let table = Table::new(rows.into_iter().map(table_row), widths).header(head).row_highlight_style(chosen);
    let mut state = TableState::new().with_selected(Some(model.selected));
    frame.render_stateful_widget(table, area, &mut state);
}

fn table_row(cells: [String; HEAD.len()]) -> TableRow<'static> {
    let color = color(&cells[1]);
    let [name, state, rest @ ..] = cells.map(Cell::from);
    TableRow::new([name, state.style(Style::new().fg(color))].into_iter().chain(rest))
}

fn cells(model: &Model, row: &Row) -> [String; HEAD.len()] {
    let none = Seen::default();
    let (state, shown) = match &row.look {
        Look::NotYet => (row.container.clone(), &none),
        Look::Seen(seen) => (seen.state.clone(), seen),
        Look::Failed(_) => ("cannot look".to_owned(), &none),
    };
    let progress = if let Look::Failed(why) = &row.look { why } else { &shown.progress };
    [
        one_line(&row.name),
        one_line(&state),
        one_line(progress),
        model.silence(shown).map(short).unwrap_or_default(),
        shown.turns.map(|turns| turns.to_string()).unwrap_or_default(),
        shown.cost_usd.map(|cost| format!("${cost:.2}")).unwrap_or_default(),
        row.bytes.map(bytes_in_words).unwrap_or_default().replace(' ', ""),
    ]
}

fn color(state: &str) -> Color {
    match state {
        "working" | "complete" | "running" => Color::Green,
        "crashed" | "cannot look" => Color::Red,
        "silent" | "waiting" | "idle" | "unknown" => Color::Yellow,
        _ => Color::Reset,
    }
}

/// Writes a time in at most six characters; seconds in steps of ten, since each other text is another picture.
fn short(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{}s", seconds / 10 * 10),
        seconds @ 120..7_200 => format!("{}m", seconds / 60),
        seconds @ 7_200..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", (seconds / 86_400).min(9_999)),
    }
}

fn read(frame: &mut Frame<'_>, area: Rect, title: &str, lines: &[String]) {
    // What is behind the end of the screen need not be wrapped.
    let shown = lines.iter().take(usize::from(area.height)).map(|line| Line::from(one_line(line)));
    let page = Paragraph::new(shown.collect::<Vec<_>>()).wrap(Wrap { trim: false });
    frame.render_widget(page.block(Block::bordered().title(one_line(title))), area);
}

fn prompt(model: &Model) -> String {
    match &model.mode {
        Mode::Revising { name, text } => {
            let hidden = text.chars().count().saturating_sub(50);
            let shown: String = text.chars().skip(hidden).collect();
            format!("revision for {name}: {}▏", one_line(&shown))
        }
        Mode::Stopping { name } => format!("stop {name}? its files stay  [y/N]"),
        _ => one_line(&model.notice),
    }
}

fn help(mode: &Mode) -> &'static str {
    match mode {
        Mode::List => "↑↓ choose  m messages  l log  r revise  s stop  q quit",
        Mode::Reading { .. } => "↑↓ scroll  PgUp PgDn  q back",
        Mode::Revising { .. } => "Enter sends  Esc gives up",
        Mode::Stopping { .. } => "y stops it  any other key goes back",
    }
}
