//! A clock that moves only when it is told to.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

use crate::Clock;

/// A clock for tests and for trying things out: it stands still until [`ManualClock::advance`].
///
/// Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    elapsed: Arc<watch::Sender<Duration>>,
    wall: Arc<Mutex<DateTime<Utc>>>,
}

impl ManualClock {
    /// Stands at the given time.
    pub fn new(start: DateTime<Utc>) -> Self {
        Self {
            elapsed: Arc::new(watch::Sender::new(Duration::ZERO)),
            wall: Arc::new(Mutex::new(start)),
        }
    }

    /// Stands at the given Unix time in seconds.
    pub fn at_unix(seconds: i64) -> Self {
        Self::new(DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::UNIX_EPOCH))
    }

    /// Lets time pass and wakes whoever has slept long enough.
    pub fn advance(&self, by: Duration) {
        self.jump(TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX));
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Moves the time of day only, as an operator or a time server may; durations do not notice.
    pub fn jump(&self, by: TimeDelta) {
        let mut wall = self.wall.lock().unwrap_or_else(PoisonError::into_inner);
        *wall = wall.checked_add_signed(by).unwrap_or(*wall);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The deadline is fixed now, not at the first poll: a sleeper that is polled late must not sleep longer.
        let until = self.elapsed().saturating_add(duration);
        let mut elapsed = self.elapsed.subscribe();
        Box::pin(async move {
            if elapsed.wait_for(|now| *now >= until).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sleepers_wake_when_time_is_moved() {
        let clock = ManualClock::at_unix(1_700_000_000);
        let sleeping = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeping.await.unwrap();
        assert_eq!(clock.now().timestamp(), 1_700_000_010);
    }

    #[tokio::test]
    async fn a_jump_of_the_wall_wakes_nobody() {
        let clock = ManualClock::at_unix(0);
        let sleeping = tokio::spawn(clock.sleep(Duration::from_secs(10)));
        clock.jump(TimeDelta::days(-1));
        clock.jump(TimeDelta::days(2));
        tokio::task::yield_now().await;
        assert!(!sleeping.is_finished());
        assert_eq!(clock.elapsed(), Duration::ZERO);
    }
}
