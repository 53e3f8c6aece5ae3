//! The instants of a schedule: which come next, which lay between, and how each is written and described.
//!
//! Pure arithmetic over a definition: the same plan gives the same instants on every replica and in every year, and the
//! instants strictly rise. Inside, an instant is a whole number of milliseconds since 1970-01-01T00:00:00Z.

mod check;
mod interval;
mod jitter;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use uuid::Uuid;

use self::interval::Interval;
use crate::{Definition, Problem, cron::Cron, zone::Zone};

/// Instants outside of the years 1 to 8999 are not computed; this is the first of them, and their last.
const MS_MIN: i64 = -62_135_000_000_000;
const MS_MAX: i64 = 221_845_000_000_000;

/// The instants of a schedule, ready to be asked for.
///
/// Cheap to clone, and it never changes: an updated definition, or new time zone rules, need a new plan.
#[derive(Clone, Debug)]
pub struct Plan {
    zone: Zone,
    rule: Rule,
    /// First and last millisecond that may be an instant.
    start: i64,
    end: Option<i64>,
    jitter_ms: u64,
    /// For the catch-up policy `within`.
    window: TimeDelta,
}

#[derive(Clone, Debug)]
enum Rule {
    Cron(Cron),
    Interval(Interval),
    Once(i64),
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is due at this nominal instant.
    At(DateTime<Utc>),
    /// It has ended: no instant comes any more.
    Never,
    /// Nobody can say, and why: an alarm, and a reason to ask again later.
    Unknown(String),
}

impl Plan {
    /// Checks a definition that is to be saved at `now`, and plans it.
    ///
    /// For what was saved before use [`Plan::stored`]: a schedule that is over by now is refused here.
    ///
    /// # Errors
    /// Everything that is wrong with it at once, or that it would never fire after `now`.
    pub fn new(definition: &Definition, now: DateTime<Utc>) -> Result<Self, Vec<Problem>> {
        let plan = Self::stored(definition)?;
        // Ten seconds of grace: "once, now" is old by the time it arrives.
        match plan.next_ms(floor_ms(now).saturating_sub(check::PAST_GRACE_MS)) {
            Some(_) => Ok(plan),
            None => Err(vec![check::never(definition)]),
        }
    }

    /// Plans a definition that was saved before; one that has ended is planned all the same.
    ///
    /// # Errors
    /// Everything that is wrong with it at once.
    pub fn stored(definition: &Definition) -> Result<Self, Vec<Problem>> {
        check::plan(definition)
    }

    /// The first nominal instant strictly after `after`.
    pub fn next_after(&self, after: DateTime<Utc>) -> Next {
        let after = floor_ms(after);
        if let Some(next) = self.next_ms(after) {
            return Next::At(time(next));
        }
        let has_ended = match self.rule {
            Rule::Once(_) => true,
            Rule::Cron(_) | Rule::Interval(_) => self.end.is_some(),
        };
        if has_ended {
            return Next::Never;
        }
        Next::Unknown(format!(
            "no next instant was found after {} in {}; see whether the clock and the time zone data of the server are \
             right",
            self.local(time(after)),
            self.zone.name()
        ))
    }

    /// The first `count` nominal instants strictly after `after`, oldest first.
    pub fn upcoming(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        self.rising(floor_ms(after)).take(count).map(time).collect()
    }

    /// The nominal instants after `after` up to and with `until`, oldest first, at most the `max` oldest.
    pub fn between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        max: usize,
    ) -> Vec<DateTime<Utc>> {
        let until = floor_ms(until);
        let instants = self.rising(floor_ms(after)).take_while(|instant| *instant <= until);
        instants.take(max).map(time).collect()
    }

    /// The nominal instants after `after` up to and with `until`, oldest first, at most the `max` newest.
    ///
    /// It walks back from `until`, so that a long span costs no more than a short one.
    pub fn last_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        max: usize,
    ) -> Vec<DateTime<Utc>> {
        let newest = self.falling(floor_ms(after), floor_ms(until)).take(max);
        let mut instants: Vec<_> = newest.map(time).collect();
        instants.reverse();
        instants
    }

    /// How many nominal instants lie after `after` up to and with `until`, and whether there may be more than counted.
    ///
    /// Exact for intervals; a cron expression is counted up to `most`.
    pub(crate) fn count_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
        most: usize,
    ) -> (u64, bool) {
        let (after, until) = (floor_ms(after), floor_ms(until));
        if let Rule::Interval(interval) = self.rule {
            let (after, until) = (after.max(self.start - 1), self.until(until));
            return (interval.count(after, until), false);
        }
        let counted = self.falling(after, until).take(most + 1).count();
        (counted.min(most) as u64, counted > most)
    }

    /// The plan in plain English with its zone: `At 09:00, Monday to Friday (Europe/Berlin)`.
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Cron(cron) => format!("{} ({})", cron.describe(), self.zone.name()),
            Rule::Interval(interval) => interval.describe(),
            Rule::Once(at) => {
                let local = self.zone.civil(at.div_euclid(1000));
                let seconds = if local.second() == 0 { "" } else { ":%S" };
                let told = local.format(&format!("%A, %-d %B %Y at %H:%M{seconds}")).to_string();
                format!("Once, on {told} ({})", self.zone.name())
            }
        }
    }

    /// An instant as the clocks of its zone show it: `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub fn local(&self, instant: DateTime<Utc>) -> String {
        self.zone.write(instant)
    }

    /// How much later than its nominal instant a fire is: 0 to `jitterMs`, always the same for the same instant.
    ///
    /// A fire may so come after the next nominal instant; fires are due in the order of nominal instant plus jitter.
    pub fn jitter(&self, schedule: Uuid, nominal: DateTime<Utc>) -> TimeDelta {
        let ms = jitter::of(schedule, floor_ms(nominal), self.jitter_ms);
        TimeDelta::milliseconds(i64::try_from(ms).unwrap_or_default())
    }

    /// How old a missed instant may be under the catch-up policy `within`.
    pub(crate) fn window(&self) -> TimeDelta {
        self.window
    }

    fn rising(&self, after: i64) -> impl Iterator<Item = i64> {
        std::iter::successors(self.next_ms(after), |instant| self.next_ms(*instant))
    }

    fn falling(&self, after: i64, until: i64) -> impl Iterator<Item = i64> {
        let before = move |instant: i64| self.last_ms(after, instant);
        std::iter::successors(before(until), move |instant| before(instant - 1))
    }

    /// The first instant after `after`.
    fn next_ms(&self, after: i64) -> Option<i64> {
        let after = after.max(self.start - 1).max(MS_MIN);
        let last = self.until(MS_MAX);
        if after >= last {
            return None;
        }
        let next = match &self.rule {
            Rule::Cron(cron) => {
                cron.after(&self.zone, after.div_euclid(1000))?.checked_mul(1000)?
            }
            Rule::Interval(interval) => interval.after(after),
            Rule::Once(at) if *at > after => *at,
            Rule::Once(_) => return None,
        };
        (next <= last).then_some(next)
    }

    /// The last instant after `after` up to and with `until`.
    fn last_ms(&self, after: i64, until: i64) -> Option<i64> {
        let after = after.max(self.start - 1).max(MS_MIN);
        let until = self.until(until.min(MS_MAX));
        if until <= after {
            return None;
        }
        let found = match &self.rule {
            Rule::Cron(cron) => {
                let (until, floor) = (until.div_euclid(1000), after.div_euclid(1000));
                cron.until(&self.zone, until, floor)?.checked_mul(1000)?
            }
            Rule::Interval(interval) => interval.until(until),
            Rule::Once(at) if *at <= until => *at,
            Rule::Once(_) => return None,
        };
        (found > after).then_some(found)
    }

    fn until(&self, until: i64) -> i64 {
        self.end.map_or(until, |end| end.min(until))
    }
}

/// Whole milliseconds up to an instant: what is after the one is after the other.
fn floor_ms(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_millis().clamp(MS_MIN, MS_MAX)
}

fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}
