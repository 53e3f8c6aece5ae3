//! A cron expression in a time zone: the first match after an instant and the last one before.
//!
//! The croner crate says which days match (`L`, `W`, `#`, day of the month or of the week). The search is our own,
//! because the instants must be right on every day that the clocks change: a time that is named one by one (`0 9`,
//! `30 2,14`) has exactly one instant on every day that exists; a pattern that repeats through the day (`*`, `/`, a
//! range) matches what the clocks show, second after second of real time. A search is bounded: the days of the
//! calendar repeat every 400 years.

mod describe;
mod fields;

use std::sync::Arc;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, Timelike};
use croner::{
    CronComponent, CronPattern, Weekday,
    parser::{CronParser, Seconds, Year},
};

use crate::zone::{Zone, naive};

/// Years after which the calendar repeats: what does not match in them never matches.
const YEARS_SEARCHED: u32 = 400;
/// No search goes beyond this year, which is well inside of what the time zone rules can compute.
const LAST_YEAR: i32 = 9_000;
const SECONDS_A_YEAR: i64 = 31_556_952;

/// A cron expression that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Cron {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    /// Days of the month and of the week as bits, unless `L`, `W` or `#` make them depend on the month.
    plain_days: Option<(u64, u64)>,
    days: Arc<CronPattern>,
    is_fixed: bool,
}

impl Cron {
    /// Reads an expression of five or six fields.
    ///
    /// # Errors
    /// A sentence for each mistake; also when no day of the calendar matches.
    pub(crate) fn read(expression: &str) -> Result<Self, Vec<String>> {
        let fields = fields::read(expression)?;
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed);
        let parsed = parser.build().parse(&fields.text).map_err(|error| vec![error.to_string()])?;
        let mut pattern = parsed.pattern;
        // Nobody asks for the year, whose table would be most of the memory of a schedule.
        pattern.years = CronComponent::new(1, 2, 0, 0);
        pattern.years.parse("*").map_err(|error| vec![error.to_string()])?;
        let depends = pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers();
        let cron = Self {
            seconds: bits(&pattern.seconds),
            minutes: bits(&pattern.minutes),
            hours: bits(&pattern.hours),
            months: bits(&pattern.months),
            plain_days: (!depends).then(|| (bits(&pattern.days), bits(&pattern.days_of_week))),
            days: Arc::new(pattern),
            is_fixed: fields.is_fixed,
        };
        let any = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap_or_default();
        if cron.day_from(any).is_none() {
            let message = "it never fires: no month of any year has such a day";
            return Err(vec![message.to_owned()]);
        }
        Ok(cron)
    }

    /// The first matching instant after `after`, in seconds since 1970. `None`: there is none in 400 years.
    pub(crate) fn after(&self, zone: &Zone, after: i64) -> Option<i64> {
        if self.is_fixed {
            self.fixed_after(zone, after)
        } else {
            self.repeating_after(zone, after)
        }
    }

    /// The last matching instant up to and with `until`, if it is after `floor`.
    pub(crate) fn until(&self, zone: &Zone, until: i64, floor: i64) -> Option<i64> {
        let found = if self.is_fixed {
            self.fixed_until(zone, until, floor)
        } else {
            self.repeating_until(zone, until, floor)
        };
        found.filter(|instant| *instant > floor)
    }

    fn fixed_after(&self, zone: &Zone, after: i64) -> Option<i64> {
        let mut local = zone.civil(after);
        loop {
            local = self.local_from(add_seconds(local, 1)?)?;
            match zone.instant(local) {
                Some(instant) if instant > after => return Some(instant),
                // It is the repetition of one before, shares the end of a gap with one, or its day does not exist.
                _ => {}
            }
        }
    }

    fn fixed_until(&self, zone: &Zone, until: i64, floor: i64) -> Option<i64> {
        // In a repeated hour, later times of its first round lie before `until` already.
        let mut local = add_seconds(zone.civil(until), zone.repeated(until) + 1)?;
        loop {
            local = self.local_until(add_seconds(local, -1)?)?;
            match zone.instant(local) {
                Some(instant) if instant <= until => return Some(instant),
                _ if local.and_utc().timestamp() < floor - 2 * 86_400 => return None,
                _ => {}
            }
        }
    }

    fn repeating_after(&self, zone: &Zone, after: i64) -> Option<i64> {
        let limit = after.saturating_add(i64::from(YEARS_SEARCHED) * SECONDS_A_YEAR);
        let mut from = after.checked_add(1)?;
        // Between two changes of the rules the clocks run evenly; each such span is searched by itself.
        while from < limit {
            let offset = zone.offset(from);
            let local = self.local_from(naive(from + offset))?;
            let instant = local.and_utc().timestamp() - offset;
            match zone.change_after(from) {
                Some(change) if change <= instant => from = change,
                _ => return Some(instant),
            }
        }
        None
    }

    fn repeating_until(&self, zone: &Zone, until: i64, floor: i64) -> Option<i64> {
        let mut to = until;
        while to > floor {
            let offset = zone.offset(to);
            let local = self.local_until(naive(to + offset))?;
            let instant = local.and_utc().timestamp() - offset;
            match zone.change_until(to) {
                Some(change) if instant < change => to = change - 1,
                _ => return Some(instant),
            }
        }
        None
    }

    /// The first local time that matches, from `from` on.
    fn local_from(&self, from: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = self.day_from(from.date())?;
        if date == from.date() {
            if let Some(time) = self.time_from(from.time()) {
                return Some(date.and_time(time));
            }
            let next = self.day_from(date.succ_opt()?)?;
            return Some(next.and_time(self.time_from(NaiveTime::MIN)?));
        }
        Some(date.and_time(self.time_from(NaiveTime::MIN)?))
    }

    /// The last local time that matches, up to and with `until`.
    fn local_until(&self, until: NaiveDateTime) -> Option<NaiveDateTime> {
        let date = self.day_until(until.date())?;
        let last = NaiveTime::from_hms_opt(23, 59, 59)?;
        if date == until.date() {
            if let Some(time) = self.time_until(until.time()) {
                return Some(date.and_time(time));
            }
            let before = self.day_until(date.pred_opt()?)?;
            return Some(before.and_time(self.time_until(last)?));
        }
        Some(date.and_time(self.time_until(last)?))
    }

    fn time_from(&self, from: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (from.hour(), from.minute(), from.second());
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return NaiveTime::from_hms_opt(hour, minute, first(self.seconds, 0)?);
            }
        }
        let hour = first(self.hours, hour + 1)?;
        NaiveTime::from_hms_opt(hour, first(self.minutes, 0)?, first(self.seconds, 0)?)
    }

    fn time_until(&self, until: NaiveTime) -> Option<NaiveTime> {
        let (hour, minute, second) = (until.hour(), until.minute(), until.second());
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = last(self.seconds, second + 1)
            {
                return NaiveTime::from_hms_opt(hour, minute, second);
            }
            if let Some(minute) = last(self.minutes, minute) {
                return NaiveTime::from_hms_opt(hour, minute, last(self.seconds, 60)?);
            }
        }
        let hour = last(self.hours, hour)?;
        NaiveTime::from_hms_opt(hour, last(self.minutes, 60)?, last(self.seconds, 60)?)
    }

    /// The first day that matches, from `date` on.
    fn day_from(&self, mut date: NaiveDate) -> Option<NaiveDate> {
        let end = date.checked_add_months(Months::new(12 * YEARS_SEARCHED))?;
        while date <= end && date.year() <= LAST_YEAR {
            if !has(self.months, date.month()) {
                date = date.with_day(1)?.checked_add_months(Months::new(1))?;
            } else if self.is_day(date) {
                return Some(date);
            } else {
                date = date.succ_opt()?;
            }
        }
        None
    }

    /// The last day that matches, up to and with `date`.
    fn day_until(&self, mut date: NaiveDate) -> Option<NaiveDate> {
        let end = date.checked_sub_months(Months::new(12 * YEARS_SEARCHED))?;
        while date >= end {
            if !has(self.months, date.month()) {
                date = date.checked_sub_days(Days::new(date.day().into()))?;
            } else if self.is_day(date) {
                return Some(date);
            } else {
                date = date.pred_opt()?;
            }
        }
        None
    }

    fn is_day(&self, date: NaiveDate) -> bool {
        let weekday = date.weekday().num_days_from_sunday();
        if let Some((days, weekdays)) = self.plain_days {
            let (is_day, is_weekday) = (has(days, date.day()), has(weekdays, weekday));
            // A field of `*` holds every day, so that it decides nothing when both must match.
            let any = self.days.is_dom_wildcard() || self.days.is_dow_wildcard();
            let both = any || self.days.matches_dom_and_dow();
            return if both { is_day && is_weekday } else { is_day || is_weekday };
        }
        let weekday = Weekday::from_days_from_sunday(weekday);
        let found = self.days.day_match(date.year(), date.month(), date.day(), weekday);
        // It errs on dates that do not exist only, and these exist.
        found.unwrap_or(false)
    }
}

fn add_seconds(local: NaiveDateTime, seconds: i64) -> Option<NaiveDateTime> {
    local.checked_add_signed(chrono::TimeDelta::try_seconds(seconds)?)
}

/// The values of a field as bits.
fn bits(field: &CronComponent) -> u64 {
    field.values().into_iter().fold(0, |bits, value| bits | bit(value.into()))
}

fn bit(place: u32) -> u64 {
    1_u64.checked_shl(place).unwrap_or(0)
}

fn has(bits: u64, place: u32) -> bool {
    bits & bit(place) != 0
}

/// The first bit from `place` on.
fn first(bits: u64, place: u32) -> Option<u32> {
    let rest = bits.checked_shr(place)?;
    (rest != 0).then(|| rest.trailing_zeros() + place)
}

/// The last bit before `place`.
fn last(bits: u64, place: u32) -> Option<u32> {
    (bits & bit(place).wrapping_sub(1)).checked_ilog2()
}
