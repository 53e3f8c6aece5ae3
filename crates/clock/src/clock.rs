//! The `Clock` trait and the clock of the machine.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound, Utc};
use futures_util::future::BoxFuture;

/// Tells the time and lets it pass.
///
/// `now` is for what people and other machines read and may jump; `elapsed` never goes back and is for durations.
pub trait Clock: Debug + Send + Sync {
    /// The time of day in UTC, whole microseconds (what both databases keep).
    fn now(&self) -> DateTime<Utc>;

    /// Time since this clock was made; never goes back.
    fn elapsed(&self) -> Duration;

    /// Whether it is the time that other machines have, too, so that it may be compared with theirs.
    fn is_system(&self) -> bool {
        false
    }

    /// Ends when the duration has passed on this clock.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts counting [`Clock::elapsed`] from here.
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the rest of the program gets it from"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn is_system(&self) -> bool {
        true
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the rest of the program gets it from"
    )]
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
