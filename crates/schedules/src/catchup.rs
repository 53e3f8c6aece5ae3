//! What becomes of instants that nobody was there for.
//!
//! One rule for a restart, a failover, a jump of the clock and a schedule that is enabled again. It is bounded: years of
//! every second cost no more than a day of them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Catchup, Plan};

/// Most instants that one catch-up fires; of more, the oldest are dropped and the newest are kept.
const FIRES_MAX: usize = 1_000;
/// Most instants of a cron expression that are counted one by one.
const COUNTED_MAX: usize = 10_000;

/// What is to be done with the instants of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatchUp {
    /// The instants that fire, oldest first.
    pub fire: Vec<DateTime<Utc>>,
    /// How many others there were; they never fire.
    pub missed: u64,
    /// Whether `missed` were too many to count, so that it is the least that it can be.
    pub at_least: bool,
}

/// Decides the instants after `after`, the last one that was decided, up to and with `now`.
///
/// An instant not older than `grace` is due and fires under every policy. Of the older ones, which were missed, fire:
/// with `none` none; with `last` the newest, unless one is due anyway, which then is the last; with `all` the newest
/// 1,000; with `within` those not older than the window of the plan, at most the newest 1,000. A clock that went back
/// behind `after` decides nothing, so that nothing is decided twice.
pub fn catch_up(
    plan: &Plan,
    policy: Catchup,
    after: DateTime<Utc>,
    now: DateTime<Utc>,
    grace: TimeDelta,
) -> CatchUp {
    if now <= after {
        return CatchUp::default();
    }
    // `between` leaves its first instant out, and one exactly as old as allowed is not too old.
    let old = |age: TimeDelta| {
        let oldest = now.checked_sub_signed(age);
        oldest.and_then(just_before).map_or(after, |oldest| oldest.max(after))
    };
    let due = || plan.last_between(old(grace), now, FIRES_MAX);
    let fire = match policy {
        Catchup::None => due(),
        Catchup::Last => match due() {
            due if due.is_empty() => plan.last_between(after, now, 1),
            due => due,
        },
        Catchup::All => plan.last_between(after, now, FIRES_MAX),
        Catchup::Within => plan.last_between(old(plan.window().max(grace)), now, FIRES_MAX),
    };
    // Everything that fires is newer than everything that does not.
    let first = fire.first().map_or(Some(now), |first| just_before(*first)).unwrap_or(now);
    let (missed, at_least) = plan.count_between(after, first, COUNTED_MAX);
    CatchUp { fire, missed, at_least }
}

fn just_before(instant: DateTime<Utc>) -> Option<DateTime<Utc>> {
    instant.checked_sub_signed(TimeDelta::milliseconds(1))
}
