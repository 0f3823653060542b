//! Long work: a bar on a terminal, lines elsewhere, nothing for programs.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::page::one_line;
use super::screen::Screen;

/// Time between two pictures of a bar whose end is not known.
const TICK: Duration = Duration::from_millis(120);

const UNBOUNDED: &str = "{spinner} {wide_msg} {elapsed}";

/// One piece of long work. The bar goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    screen: Screen,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Says what begins.
    pub(crate) fn begin(screen: Screen, what: &str) -> Self {
        if !screen.draws_bars() {
            screen.say(what);
            return Self { screen, bar: None };
        }
        let bar = ProgressBar::new_spinner().with_style(style(UNBOUNDED)).with_message(one_line(what));
        bar.enable_steady_tick(TICK);
        Self { screen, bar: Some(bar) }
    }

    /// Says what it is at now.
    pub(crate) fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(one_line(what)),
            None => self.screen.say(what),
        }
    }

    /// Says how far it is. Elsewhere than on a terminal that would be noise.
    pub(crate) fn detail(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(one_line(what));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_its_own_template() {
        assert!(ProgressStyle::with_template(UNBOUNDED).is_ok());
    }
}
