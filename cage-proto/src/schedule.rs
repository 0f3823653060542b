//! How long a waiting reader sleeps between two looks into its mailbox.
//!
//! File-system events wake a reader at once. The schedule is for file systems that send none, and it becomes slower
//! the longer nothing happens.

use std::fmt;
use std::mem;
use std::str::FromStr;
use std::time::Duration;

use crate::limits::ASKED_TIME_MAX;

/// Steps of a schedule; more than this is a mistake, not a plan.
const STEPS_MAX: usize = 16;

/// A back-off schedule: steps of an interval and the elapsed time up to which it holds.
///
/// ```
/// # use std::time::Duration;
/// use cage_proto::schedule::Schedule;
///
/// let schedule: Schedule = "10:900,30:3600,60:7200".parse()?;
/// assert_eq!(schedule.delay_after(Duration::from_secs(0)), Duration::from_secs(10));
/// assert_eq!(schedule.delay_after(Duration::from_secs(900)), Duration::from_secs(30));
/// assert_eq!(schedule.to_string(), "10:900,30:3600,60:7200");
/// # Ok::<(), cage_proto::schedule::ScheduleError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The steps before the last one, in order.
    earlier: Vec<Step>,
    /// There is always one, and its interval has no end.
    last: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    interval: Duration,
    until: Duration,
}

/// Says why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A step is not written as `interval:until`.
    #[error("step `{0}` is not `interval:until` in whole seconds, as in `10:900`")]
    NotAStep(String),
    /// An interval or an end is zero or longer than a week.
    #[error("step `{0}` needs both numbers between 1 and {max} seconds", max = ASKED_TIME_MAX.as_secs())]
    OutOfRange(String),
    /// A step ends before the one in front of it.
    #[error("step `{0}` ends no later than the step before it")]
    NotAscending(String),
    /// There are more steps than anyone plans for.
    #[error("there are more than {STEPS_MAX} steps")]
    TooManySteps,
}

impl Schedule {
    /// Returns how long to sleep when `elapsed` has passed since the wait began. The last interval has no end.
    pub fn delay_after(&self, elapsed: Duration) -> Duration {
        self.earlier.iter().find(|step| elapsed < step.until).unwrap_or(&self.last).interval
    }
}

impl Default for Schedule {
    /// Every 10 s for the first 15 minutes, 30 s up to an hour, 60 s up to two hours and beyond.
    fn default() -> Self {
        let step = |interval, until| Step {
            interval: Duration::from_secs(interval),
            until: Duration::from_secs(until),
        };
        Self { earlier: vec![step(10, 900), step(30, 3600)], last: step(60, 7200) }
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(',');
        let mut schedule = Self { earlier: Vec::new(), last: parse_step(parts.next().unwrap_or_default())? };
        for part in parts {
            let step = parse_step(part)?;
            if step.until <= schedule.last.until {
                return Err(ScheduleError::NotAscending(part.to_owned()));
            }
            if schedule.earlier.len() + 1 == STEPS_MAX {
                return Err(ScheduleError::TooManySteps);
            }
            schedule.earlier.push(mem::replace(&mut schedule.last, step));
        }
        Ok(schedule)
    }
}

fn parse_step(part: &str) -> Result<Step, ScheduleError> {
    let not_a_step = || ScheduleError::NotAStep(part.to_owned());
    let (interval, until) = part.trim().split_once(':').ok_or_else(not_a_step)?;
    let seconds = |text: &str| -> Result<Duration, ScheduleError> {
        let seconds: u64 = text.parse().map_err(|_| not_a_step())?;
        if (1..=ASKED_TIME_MAX.as_secs()).contains(&seconds) {
            Ok(Duration::from_secs(seconds))
        } else {
            Err(ScheduleError::OutOfRange(part.to_owned()))
        }
    };
    Ok(Step { interval: seconds(interval)?, until: seconds(until)? })
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.earlier {
            write!(f, "{step},")?;
        }
        self.last.fmt(f)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.interval.as_secs(), self.until.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(elapsed: u64) -> u64 {
        Schedule::default().delay_after(Duration::from_secs(elapsed)).as_secs()
    }

    #[test]
    fn slows_down_at_each_boundary_and_never_ends() {
        assert_eq!(
            [0, 899, 900, 3599, 3600, 7199, 7200, 999_999].map(delay),
            [10, 10, 30, 30, 60, 60, 60, 60]
        );
    }

    #[test]
    fn prints_what_it_parses() {
        for text in ["1:5", "1:5,2:10", "10:900,30:3600,60:7200"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn keeps_the_interval_of_a_single_step_for_ever() {
        let schedule: Schedule = "7:20".parse().unwrap();
        assert_eq!([0, 20, 9_999].map(|at| schedule.delay_after(Duration::from_secs(at)).as_secs()), [7; 3]);
    }

    #[test]
    fn accepts_as_many_steps_as_are_allowed_and_rejects_one_more() {
        let steps = |count: usize| (1..=count).map(|n| format!("1:{n}")).collect::<Vec<_>>().join(",");
        assert!(steps(STEPS_MAX).parse::<Schedule>().is_ok());
        assert_eq!(steps(STEPS_MAX + 1).parse::<Schedule>(), Err(ScheduleError::TooManySteps));
    }

    #[test]
    fn rejects_what_is_no_schedule() {
        let error = |text: &str| text.parse::<Schedule>().unwrap_err().to_string();
        insta::assert_snapshot!(error(""), @"step `` is not `interval:until` in whole seconds, as in `10:900`");
        insta::assert_snapshot!(error("0:10"), @"step `0:10` needs both numbers between 1 and 604800 seconds");
        insta::assert_snapshot!(error("1:10,2:10"), @"step `2:10` ends no later than the step before it");
        insta::assert_snapshot!(error("1:1,1:1"), @"step `1:1` ends no later than the step before it");
    }
}
