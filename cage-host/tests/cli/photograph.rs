//! A terminal's screen as an SVG picture, which is kept in `docs` and compared.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Size of a character, in pixels.
const WIDTH: usize = 9;
const HEIGHT: usize = 19;

/// Room around the screen, in pixels.
const MARGIN: usize = 12;

const INK: &str = "#e6edf3";
const PAPER: &str = "#0d1117";

/// How a character is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    dim: bool,
    reversed: bool,
    colour: Option<u8>,
}

/// A character and how it is shown.
type Cell = (char, Look);

/// A screen.
#[derive(Debug)]
pub(crate) struct Photograph {
    lines: Vec<Vec<Cell>>,
}

impl Photograph {
    /// Reads a screen with its escape sequences, of which only those about colours can be in it.
    pub(crate) fn read(screen: &str) -> Self {
        let mut look = Look::default();
        Self { lines: screen.lines().map(|line| read_line(line, &mut look)).collect() }
    }

    /// Replaces what stands in a column of the table, below its name, by the same for every cell.
    pub(crate) fn mask(&mut self, column: &str, mask: &str) {
        let text = |line: &[Cell]| line.iter().map(|(character, _)| *character).collect::<String>();
        let head = self.lines.iter().position(|line| text(line).contains(column)).unwrap();
        let names = text(&self.lines[head]);
        let begin = names.find(column).unwrap();
        let behind = names[begin..].find(' ').map_or(names.len(), |width| begin + width);
        let end = names[behind..].find(|c: char| c != ' ').map_or(usize::MAX, |gap| behind + gap);
        // The table ends with the first line that is empty.
        let rows = self.lines[head + 1..].iter_mut();
        for line in rows.take_while(|line| line.iter().any(|(character, _)| *character != ' ')) {
            let end = end.min(line.len());
            let Some(cells) = line.get_mut(begin..end) else { continue };
            if cells.iter().all(|(character, _)| *character == ' ') {
                continue;
            }
            let shown = mask.chars().chain(std::iter::repeat(' '));
            cells.iter_mut().zip(shown).for_each(|((character, _), shown)| *character = shown);
        }
    }

    /// Replaces a text by another one of the same length, wherever it stands.
    pub(crate) fn replace(&mut self, text: &str, by: &str) {
        assert_eq!(text.len(), by.len());
        for line in &mut self.lines {
            let shown: String = line.iter().map(|(character, _)| *character).collect();
            let replaced = shown.replace(text, by);
            line.iter_mut().zip(replaced.chars()).for_each(|((character, _), new)| *character = new);
        }
    }

    /// Compares the picture with the one that is kept, or keeps it when told to by `CAGE_PHOTOGRAPH=1`.
    #[track_caller]
    pub(crate) fn is_kept_as(&self, name: &str) {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        let picture = self.svg();
        if std::env::var("CAGE_PHOTOGRAPH").as_deref() == Ok("1") {
            fs::write(&kept, &picture).unwrap();
        }
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&new, &picture).unwrap();
        let same = fs::read_to_string(&kept).is_ok_and(|kept| kept == picture);
        assert!(
            same,
            "not as in {}; look at {} and run again with CAGE_PHOTOGRAPH=1",
            kept.display(),
            new.display()
        );
    }

    fn svg(&self) -> String {
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or_default();
        let (width, height) = (columns * WIDTH + 2 * MARGIN, self.lines.len() * HEIGHT + 2 * MARGIN);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"15\">\n\
             <rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{PAPER}\"/>\n"
        );
        for (row, line) in self.lines.iter().enumerate() {
            draw_line(&mut svg, line, MARGIN + row * HEIGHT);
        }
        svg + "</svg>\n"
    }
}

fn read_line(line: &str, look: &mut Look) -> Vec<Cell> {
    let mut cells = Vec::new();
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\u{1b}[") {
            let end = sequence.find('m').unwrap();
            look.take(&sequence[..end]);
            rest = &sequence[end + 1..];
        } else {
            cells.push((character, look.clone()));
            rest = &rest[character.len_utf8()..];
        }
    }
    cells
}

impl Look {
    /// Obeys the numbers of an escape sequence.
    fn take(&mut self, sequence: &str) {
        let mut codes = sequence.split(';').map(|code| code.parse::<u8>().unwrap_or_default());
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                7 => self.reversed = true,
                colour @ 30..=37 => self.colour = Some(colour - 30),
                // A number behind a 5 is one of 256 colours, of which the first are the same as above.
                38 => self.colour = codes.nth(1),
                39 => self.colour = None,
                // The background is never another one.
                49 => {}
                other => unreachable!("the dashboard has no use for {other}"),
            }
        }
    }

    fn ink(&self) -> &'static str {
        match (self.colour, self.dim) {
            (Some(1), _) => "#ff7b72",
            (Some(2), _) => "#3fb950",
            (Some(3), _) => "#d29922",
            (_, true) => "#9198a1",
            _ => INK,
        }
    }
}

/// Draws what looks the same at once, each at its own place, so that no font can shift it.
fn draw_line(svg: &mut String, line: &[Cell], top: usize) {
    let mut at = 0;
    while at < line.len() {
        let look = &line[at].1;
        let length = line[at..].iter().take_while(|(_, other)| other == look).count();
        let text: String = line[at..at + length].iter().map(|(character, _)| *character).collect();
        draw_text(svg, &text, look, MARGIN + at * WIDTH, top);
        at += length;
    }
}

fn draw_text(svg: &mut String, text: &str, look: &Look, left: usize, top: usize) {
    let (width, base) = (text.chars().count() * WIDTH, top + HEIGHT - 5);
    let ink = if look.reversed { PAPER } else { look.ink() };
    // Writing into a string does not fail.
    if look.reversed {
        let paper = look.ink();
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{paper}\"/>"
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{base}\" textLength=\"{width}\" xml:space=\"preserve\" fill=\"{ink}\"{weight}>{text}</text>"
    );
}

#[test]
fn shows_a_screen_as_it_is_without_what_differs_from_run_to_run() {
    let mut photograph = Photograph::read(
        "NAME  SILENT DISK\nab-7  \u{1b}[1;38;5;2m12s\u{1b}[0m    1.5MB\nab-8         \u{1b}[7m&\u{1b}[0m",
    );
    photograph.mask("SILENT", "··s");
    photograph.mask("DISK", "·····");
    photograph.replace("ab", "xy");
    let text = |line: &Vec<Cell>| line.iter().map(|(character, _)| *character).collect::<String>();
    let lines: Vec<_> = photograph.lines.iter().map(text).collect();
    assert_eq!(lines, ["NAME  SILENT DISK", "xy-7  ··s    ·····", "xy-8         ·"]);
    let svg = photograph.svg();
    assert!(svg.contains("fill=\"#3fb950\" font-weight=\"bold\">··s</text>"), "{svg}");
}
