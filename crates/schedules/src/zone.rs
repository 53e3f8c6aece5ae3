//! A time zone: which offset holds when, and which instant a local time is.
//!
//! Instants are whole seconds since 1970-01-01T00:00:00Z. Every local time of a day that exists has exactly one instant
//! here: the first of two where the clocks went back, the first after the gap where they went forward.

mod near;

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use jiff::{
    Timestamp, civil,
    tz::{AmbiguousOffset, TimeZone},
};

/// Longest name of a zone in bytes; the longest that exists has 32.
const NAME_LEN_MAX: usize = 64;

/// A time zone by its IANA name, with the rules that the system or the program knew when it was looked up.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    rules: TimeZone,
}

impl Zone {
    /// Looks a zone up by its name, in any case.
    ///
    /// # Errors
    /// A sentence for the user, with names that are near.
    pub(crate) fn find(name: &str) -> Result<Self, String> {
        if name.is_empty() || name.len() > NAME_LEN_MAX || !name.bytes().all(is_of_name) {
            return Err(near::advice(name));
        }
        let rules = TimeZone::get(name).map_err(|_| near::advice(name))?;
        // Files of the zone folder that are rules but no place: nobody knows what they will be tomorrow.
        match rules.iana_name() {
            Some("Factory" | "localtime" | "posixrules") | None => Err(near::advice(name)),
            Some(_) => Ok(Self { rules }),
        }
    }

    /// Its name as IANA writes it.
    pub(crate) fn name(&self) -> &str {
        self.rules.iana_name().unwrap_or("UTC")
    }

    /// Seconds that its clocks are ahead of UTC at an instant.
    pub(crate) fn offset(&self, instant: i64) -> i64 {
        self.rules.to_offset(timestamp(instant)).seconds().into()
    }

    /// What its clocks show at an instant.
    pub(crate) fn civil(&self, instant: i64) -> NaiveDateTime {
        naive(instant.saturating_add(self.offset(instant)))
    }

    /// The first instant after `instant` at which the rules change, if they ever do.
    pub(crate) fn change_after(&self, instant: i64) -> Option<i64> {
        let change = self.rules.following(timestamp(instant)).next()?;
        Some(change.timestamp().as_second())
    }

    /// The last instant up to and with `instant` at which the rules changed, if they ever did.
    pub(crate) fn change_until(&self, instant: i64) -> Option<i64> {
        let change = self.rules.preceding(timestamp(instant.saturating_add(1))).next()?;
        Some(change.timestamp().as_second())
    }

    /// The one instant of a local time; `None` on a day that does not exist, as 2011-12-30 in Pacific/Apia.
    pub(crate) fn instant(&self, local: NaiveDateTime) -> Option<i64> {
        let seconds = local.and_utc().timestamp();
        match self.rules.to_ambiguous_timestamp(datetime(local)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(seconds - i64::from(offset.seconds())),
            AmbiguousOffset::Fold { before, .. } => Some(seconds - i64::from(before.seconds())),
            AmbiguousOffset::Gap { before, after } => {
                let (before, after) = (i64::from(before.seconds()), i64::from(after.seconds()));
                let gap_end = self.gap_end(seconds - after, after)?;
                let first_missing = naive(gap_end + before);
                let first_again = naive(gap_end + after);
                let day_start = local.date().and_time(chrono::NaiveTime::MIN);
                let missing = first_missing <= day_start && first_again.date() > local.date();
                (!missing).then_some(gap_end)
            }
        }
    }

    /// The instant at which the clocks went forward to `offset`, the first after `before`.
    fn gap_end(&self, before: i64, offset: i64) -> Option<i64> {
        // Rules also change without moving the clocks, so the first change need not be the one.
        let mut changes = self.rules.following(timestamp(before)).take(4);
        let change = changes.find(|change| i64::from(change.offset().seconds()) == offset)?;
        Some(change.timestamp().as_second())
    }

    /// By how many seconds the clocks went back shortly before `instant`, when it is the second that shows its local time.
    pub(crate) fn repeated(&self, instant: i64) -> i64 {
        let Some(local) = datetime(self.civil(instant)) else { return 0 };
        match self.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Fold { before, after }
                if i64::from(after.seconds()) == self.offset(instant) =>
            {
                i64::from(before.seconds()) - i64::from(after.seconds())
            }
            _ => 0,
        }
    }

    /// An instant as its clocks show it, with the offset and the name: `2026-03-29T03:00:00+02:00[Europe/Berlin]`.
    pub(crate) fn write(&self, instant: DateTime<chrono::Utc>) -> String {
        Timestamp::from_millisecond(instant.timestamp_millis()).map_or_else(
            |_| instant.to_rfc3339(),
            |instant| instant.to_zoned(self.rules.clone()).to_string(),
        )
    }

    /// Reads an instant with an offset, or a local time of this zone; as milliseconds since 1970.
    ///
    /// # Errors
    /// A sentence for the user.
    pub(crate) fn read(&self, text: &str) -> Result<i64, String> {
        if let Ok(instant) = text.parse::<Timestamp>() {
            return in_range(instant.as_millisecond());
        }
        let is_local = text.len() > 10 && !text.ends_with(['Z', 'z', ']']);
        let local = is_local.then(|| text.parse::<civil::DateTime>().ok()).flatten();
        let Some(local) = local else {
            return Err(
                "write a date and a time, as 2026-12-24T18:00:00Z, 2026-12-24T18:00:00+01:00, \
                        or 2026-12-24T18:00 for the time zone of the schedule"
                    .to_owned(),
            );
        };
        let Some(seconds) = whole(local).and_then(|local| self.instant(local)) else {
            let name = self.name();
            return Err(format!("there is no such day in {name}; write one that its calendar has"));
        };
        // The first instant after a gap is a whole second, whatever was written.
        let exists = whole(local) == Some(self.civil(seconds));
        in_range(seconds * 1000 + if exists { i64::from(local.millisecond()) } else { 0 })
    }
}

/// Refuses instants that no schedule needs and that arithmetic would have to be careful with.
fn in_range(ms: i64) -> Result<i64, String> {
    let last = i64::from(i32::MAX) * 100_000;
    if (0..=last).contains(&ms) {
        return Ok(ms);
    }
    Err("write a time between the years 1970 and 8000".to_owned())
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+')
}

/// Whole seconds as the clocks of UTC show them.
pub(crate) fn naive(seconds: i64) -> NaiveDateTime {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().naive_utc()
}

fn timestamp(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn datetime(local: NaiveDateTime) -> Option<civil::DateTime> {
    let (date, time) = (local.date(), local.time());
    civil::DateTime::new(
        i16::try_from(date.year()).ok()?,
        i8::try_from(date.month()).ok()?,
        i8::try_from(date.day()).ok()?,
        i8::try_from(time.hour()).ok()?,
        i8::try_from(time.minute()).ok()?,
        i8::try_from(time.second()).ok()?,
        0,
    )
    .ok()
}

fn whole(local: civil::DateTime) -> Option<NaiveDateTime> {
    let part = |value: i8| u32::try_from(value).ok();
    chrono::NaiveDate::from_ymd_opt(local.year().into(), part(local.month())?, part(local.day())?)?
        .and_hms_opt(part(local.hour())?, part(local.minute())?, part(local.second())?)
}
