//! When the next event may be given out. Pure: the caller has the clock.

use std::time::Duration;

/// Slowest rate, in events per second: one a day.
const RATE_MIN: f64 = 1.0 / 86_400.0;
/// Fastest rate, in events per second: beyond it the interval would be lost in rounding.
const RATE_MAX: f64 = 1e9;

/// Keeps a distance between events. After a pause it goes on at its rate: what was missed is not caught up in a burst.
#[derive(Debug)]
pub(super) struct Pace {
    /// The distance; none is no limit.
    interval: Option<Duration>,
    /// When the next one is due.
    due: Option<Duration>,
}

impl Pace {
    /// A pace of so many events per second.
    ///
    /// # Errors
    /// What is wrong with the rate.
    pub(super) fn new(rate: Option<f64>) -> Result<Self, String> {
        let interval = match rate {
            None => None,
            Some(rate) if (RATE_MIN..=RATE_MAX).contains(&rate) => {
                Some(Duration::from_secs_f64(1.0 / rate))
            }
            Some(rate) => {
                return Err(format!(
                    "a rate of {rate} events per second cannot be kept: it must lie between one a day and 1e9"
                ));
            }
        };
        Ok(Self { interval, due: None })
    }

    /// How long the next one must wait.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.due?.checked_sub(now).filter(|wait| !wait.is_zero())
    }

    /// Takes note that one was given out.
    pub(super) fn given(&mut self, now: Duration) {
        let Some(interval) = self.interval else { return };
        // From when it was due, not from now: a sleep that ends a little late must not slow the rest down.
        let due = self.due.filter(|due| now.saturating_sub(*due) < interval).unwrap_or(now);
        self.due = Some(due + interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn events_keep_their_distance() {
        let mut pace = Pace::new(Some(100.0)).unwrap();
        assert_eq!(pace.wait(5 * MS), None, "the first one is due at once");
        pace.given(5 * MS);
        assert_eq!(pace.wait(5 * MS), Some(10 * MS));
        assert_eq!(pace.wait(12 * MS), Some(3 * MS));
        assert_eq!(pace.wait(15 * MS), None);
    }

    #[test]
    fn a_late_wake_up_does_not_slow_it_down_and_a_pause_is_not_caught_up() {
        let mut pace = Pace::new(Some(100.0)).unwrap();
        pace.given(Duration::ZERO);
        pace.given(14 * MS);
        assert_eq!(pace.wait(14 * MS), Some(6 * MS), "due at 20, not at 24");
        pace.given(500 * MS);
        assert_eq!(pace.wait(500 * MS), Some(10 * MS), "no burst after the pause");
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut pace = Pace::new(None).unwrap();
        pace.given(MS);
        assert_eq!(pace.wait(MS), None);
    }

    #[test]
    fn rates_that_cannot_be_kept_are_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
            assert!(Pace::new(Some(rate)).is_err(), "{rate}");
        }
    }
}
