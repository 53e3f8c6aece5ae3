//! So many events per second, evenly, by the clock that is injected.

use std::time::Duration;

use omni_clock::Clock;

/// What was not used in time is lost beyond this: after a pause the rate does not jump.
const BURST: Duration = Duration::from_millis(100);
/// Groups per second at least, where the rate allows it.
const GROUPS_PER_SECOND: u32 = 20;
/// Most events of a group: they are appended at once and share a commit.
const GROUP_MAX: u32 = 64;

/// Lets so many events through per second.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    next: Duration,
}

impl Pace {
    pub(super) fn new(per_second: u32, now: Duration) -> Self {
        Self { per_second: per_second.max(1), next: now }
    }

    /// How many events go together.
    pub(super) fn group(&self) -> usize {
        (self.per_second / GROUPS_PER_SECOND).clamp(1, GROUP_MAX) as usize
    }

    /// Waits until so many may go.
    pub(super) async fn take(&mut self, events: usize, clock: &dyn Clock) {
        let now = clock.elapsed();
        self.next = self.next.max(now.saturating_sub(BURST));
        let wait = self.next.saturating_sub(now);
        let cost = Duration::from_secs(events as u64) / self.per_second;
        self.next += cost;
        if !wait.is_zero() {
            clock.sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use omni_clock::ManualClock;

    use super::*;

    /// How many groups pass at once, without time going on.
    async fn at_once(pace: &mut Pace, clock: &ManualClock) -> usize {
        let mut groups = 0;
        while groups < 1000 {
            let group = pace.group();
            let taken = pace.take(group, clock);
            let mut taken = std::pin::pin!(taken);
            if futures_util::poll!(taken.as_mut()).is_pending() {
                return groups;
            }
            groups += 1;
        }
        groups
    }

    #[tokio::test]
    async fn events_go_evenly_and_a_pause_saves_nothing_up() {
        let clock = ManualClock::at_unix(1_800_000_000);
        clock.advance(Duration::from_secs(100));
        let mut pace = Pace::new(500, clock.elapsed());
        assert_eq!(pace.group(), 25);
        assert_eq!(at_once(&mut pace, &clock).await, 1);
        // A tenth of a second may be made up for, an hour may not. The one that waited before has gone.
        clock.advance(Duration::from_hours(1));
        assert_eq!(at_once(&mut pace, &clock).await, 3);
    }

    #[test]
    fn slow_rates_go_one_by_one() {
        assert_eq!(Pace::new(1, Duration::ZERO).group(), 1);
        assert_eq!(Pace::new(100_000, Duration::ZERO).group(), 64);
    }
}
