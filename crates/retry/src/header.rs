//! The `Retry-After` header of an HTTP answer. It comes from a stranger: it must stay true that no
//! value makes us wait longer than [`RETRY_AFTER_MAX`] and that none panics.

use std::time::Duration;

use chrono::{DateTime, Months, NaiveDateTime, Utc};

/// The longest wait that a stranger may ask for: a day. Whoever says more is cut to this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The forms of an HTTP date (RFC 9110 §5.6.7): the usual one, and the two obsolete ones which a
/// recipient has to accept.
const IMF_FIXDATE: &str = "%a, %d %b %Y %H:%M:%S GMT";
const RFC_850: &str = "%A, %d-%b-%y %H:%M:%S GMT";
const ASCTIME: &str = "%a %b %e %H:%M:%S %Y";

/// A longer value is no date; it is not looked at.
const VALUE_MAX: usize = 64;

/// Reads a `Retry-After` value, whole seconds or an HTTP date, as the wait from `now` on.
///
/// A date in the past is a wait of zero. `None` means that the value says nothing usable.
pub fn retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if value.is_empty() || value.len() > VALUE_MAX {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a u64 holds is still a number, and more than we would wait.
        let wait = value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs);
        return Some(wait.min(RETRY_AFTER_MAX));
    }
    let until = http_date(value, now)?;
    let wait = until.signed_duration_since(now).to_std().unwrap_or(Duration::ZERO);
    Some(wait.min(RETRY_AFTER_MAX))
}

fn http_date(value: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let parse = |format| NaiveDateTime::parse_from_str(value, format).ok();
    if let Some(date) = parse(IMF_FIXDATE).or_else(|| parse(ASCTIME)) {
        return Some(date.and_utc());
    }
    let date = parse(RFC_850)?.and_utc();
    // Two digits of a year: one that looks more than 50 years ahead is the last such year in the past.
    let horizon = now.checked_add_months(Months::new(50 * 12))?;
    if date > horizon { date.checked_sub_months(Months::new(100 * 12)) } else { Some(date) }
}
