//! Sleeping until a time, on a clock that may be moved by hand.

use std::{future, time::Duration};

use futures_util::future::BoxFuture;
use omni_clock::Clock;

/// A sleep that began this much late is begun again: a clock that is moved by hand may jump in between.
const TOLERANCE: Duration = Duration::from_millis(1);

/// Ends when the clock has reached a time, or never.
pub(crate) fn sleep_until(
    clock: &dyn Clock,
    until: impl Into<Option<Duration>>,
) -> BoxFuture<'static, ()> {
    let Some(until) = until.into() else { return Box::pin(future::pending()) };
    loop {
        let now = clock.elapsed();
        let sleep = clock.sleep(until.saturating_sub(now));
        if clock.elapsed().saturating_sub(now) < TOLERANCE {
            return sleep;
        }
    }
}
