//! Curves on two logarithmic axes, as SVG that can be read on light and on dark.

use std::fmt::Write as _;

/// One line of a plot.
#[derive(Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// A plot with its words.
#[derive(Debug)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) curves: Vec<Curve>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 56.0;

/// Colours with enough contrast on white and on near-black.
const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}
.grid{stroke:#8884;stroke-width:1}.curve{fill:none;stroke-width:2.5}
.c0{stroke:#0969da;fill:#0969da}.c1{stroke:#bc4c00;fill:#bc4c00}.c2{stroke:#6e7781;fill:#6e7781}
.curve.c0,.curve.c1,.curve.c2{fill:none}text.c0,text.c1,text.c2{stroke:none}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.c0{stroke:#58a6ff;fill:#58a6ff}.c1{stroke:#f0883e;fill:#f0883e}.c2{stroke:#9aa4af;fill:#9aa4af}}";

/// One axis: from which power of ten to which, and where they lie.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn around(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor();
        let high = values.fold(f64::NEG_INFINITY, f64::max).log10().ceil();
        Self { low, high: high.max(low + 1.0), from, to }
    }

    fn place(&self, value: f64) -> f64 {
        self.from + (value.log10() - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let (mut power, high) = (self.low, self.high);
        std::iter::from_fn(move || {
            let this = power;
            power += 1.0;
            (this <= high).then(|| 10_f64.powf(this))
        })
    }
}

impl Plot {
    /// Draws it; points that are not above zero have no place and are left out.
    pub(crate) fn to_svg(&self) -> String {
        let points = self.curves.iter().flat_map(|curve| &curve.points).filter(|(x, y)| *x > 0.0 && *y > 0.0);
        let x = Axis::around(points.clone().map(|point| point.0), LEFT, WIDTH - RIGHT);
        let y = Axis::around(points.map(|point| point.1), HEIGHT - BOTTOM, TOP);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<style>{STYLE}</style>\n",
            self.title
        );
        self.draw_grid(&mut svg, &x, &y);
        for (number, curve) in self.curves.iter().enumerate() {
            draw_curve(&mut svg, curve, number, &x, &y);
        }
        svg + "</svg>\n"
    }

    fn draw_grid(&self, svg: &mut String, x: &Axis, y: &Axis) {
        let _ = writeln!(svg, "<text class=\"title\" x=\"{LEFT}\" y=\"24\">{}</text>", self.title);
        for value in x.powers() {
            let at = x.place(value);
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{at:.1} {TOP}V{:.1}\"/>", HEIGHT - BOTTOM);
            let _ = writeln!(
                svg,
                "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                HEIGHT - BOTTOM + 18.0,
                short(value)
            );
        }
        for value in y.powers() {
            let at = y.place(value);
            let _ = writeln!(svg, "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>", WIDTH - RIGHT);
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                at + 4.0,
                short(value)
            );
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 14.0,
            self.x
        );
        let middle = f64::midpoint(TOP, HEIGHT - BOTTOM);
        let _ = writeln!(
            svg,
            "<text transform=\"translate(18 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            self.y
        );
    }
}

fn draw_curve(svg: &mut String, curve: &Curve, number: usize, x: &Axis, y: &Axis) {
    let places: Vec<_> = curve
        .points
        .iter()
        .filter(|point| point.0 > 0.0 && point.1 > 0.0)
        .map(|point| (x.place(point.0), y.place(point.1)))
        .collect();
    let Some(last) = places.last() else { return };
    let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let _ = writeln!(svg, "<path class=\"curve c{number}\" d=\"M{}\"/>", path.join("L"));
    for (x, y) in &places {
        let _ = writeln!(svg, "<circle class=\"c{number}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>");
    }
    let _ = writeln!(
        svg,
        "<text class=\"c{number}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        last.0 + 8.0,
        last.1 + 4.0,
        curve.name
    );
}

/// Writes a power of ten as briefly as it can be read.
fn short(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{:.0}M", value / 1e6),
        _ if value >= 1e3 => format!("{:.0}k", value / 1e3),
        _ if value >= 1.0 => format!("{value:.0}"),
        _ => format!("{value}"),
    }
}
