//! Measuring sides in turns, so that whatever else the machine does falls on all of them.

use std::time::{Duration, Instant};

use crate::results::Row;

/// One measurement of one side, or why it cannot be made.
pub(crate) type Figure = Result<f64, String>;

/// What is compared. A side that is missing, or fails, leaves its column empty.
pub(crate) struct Sides<'a> {
    sides: [Option<Box<dyn FnMut() -> Figure + 'a>>; 3],
}

const NAMES: [&str; 3] = ["ours", "peer", "floor"];

impl<'a> Sides<'a> {
    pub(crate) fn ours(measure: impl FnMut() -> Figure + 'a) -> Self {
        Self { sides: [Some(Box::new(measure)), None, None] }
    }

    pub(crate) fn peer(mut self, measure: impl FnMut() -> Figure + 'a) -> Self {
        self.sides[1] = Some(Box::new(measure));
        self
    }

    pub(crate) fn floor(mut self, measure: impl FnMut() -> Figure + 'a) -> Self {
        self.sides[2] = Some(Box::new(measure));
        self
    }

    /// Measures each side once a round and takes the medians.
    pub(crate) fn alternate(mut self, rounds: usize, unit: &'static str) -> Row {
        let mut figures: [Vec<f64>; 3] = Default::default();
        let mut row = Row { unit, runs: rounds, ..Row::default() };
        for _ in 0..rounds {
            for side in 0..NAMES.len() {
                match self.sides[side].as_mut().map(|measure| measure()) {
                    None => {}
                    Some(Ok(figure)) => figures[side].push(figure),
                    Some(Err(why)) => {
                        self.sides[side] = None;
                        row = row.remark(format_args!("{}: {why}", NAMES[side]));
                    }
                }
            }
        }
        [row.ours, row.peer, row.floor] = figures.map(|figures| percentile(figures, 50));
        row
    }
}

/// Returns the figure below which so many of a hundred lie; nothing of nothing.
pub(crate) fn percentile(mut figures: Vec<f64>, percent: usize) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() * percent / 100).copied()
}

/// Says how many seconds something takes that can fail.
pub(crate) fn seconds<T>(run: impl FnOnce() -> Result<T, String>) -> Figure {
    let begun = Instant::now();
    run()?;
    Ok(begun.elapsed().as_secs_f64())
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
