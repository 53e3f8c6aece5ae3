//! The time that was signed. It must stay true that it is a part of what is signed: another one proves nothing.

use chrono::{DateTime, Utc};

use super::fault::{Fault, Spot};
use crate::definition::TimeUnit;

/// Refuses a time that is further from now than the tolerance, to either side.
pub(super) fn check(
    text: &[u8],
    unit: TimeUnit,
    tolerance_seconds: u32,
    now: DateTime<Utc>,
    spot: &dyn Fn() -> Spot,
) -> Result<(), Fault> {
    let signed = read(text, unit).ok_or_else(|| Fault::MalformedTime(spot()))?;
    let age = now - signed;
    let tolerance = i64::from(tolerance_seconds) * 1000;
    let age_milliseconds = age.num_milliseconds();
    if age_milliseconds > tolerance {
        return Err(Fault::Stale { age_seconds: age.num_seconds(), tolerance_seconds });
    }
    if age_milliseconds < -tolerance {
        return Err(Fault::Future { ahead_seconds: -age.num_seconds(), tolerance_seconds });
    }
    Ok(())
}

/// A time as it is written in this unit.
pub(super) fn write(time: DateTime<Utc>, unit: TimeUnit) -> String {
    match unit {
        TimeUnit::Seconds => time.timestamp().to_string(),
        TimeUnit::Milliseconds => time.timestamp_millis().to_string(),
        TimeUnit::Rfc3339 => time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    }
}

fn read(text: &[u8], unit: TimeUnit) -> Option<DateTime<Utc>> {
    let text = str::from_utf8(text).ok()?;
    let number = || {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<i64>().ok()).flatten()
    };
    match unit {
        TimeUnit::Seconds => DateTime::from_timestamp(number()?, 0),
        TimeUnit::Milliseconds => DateTime::from_timestamp_millis(number()?),
        TimeUnit::Rfc3339 => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_holds_to_both_sides_and_to_the_second() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let at = |text: &str, unit| {
            check(text.as_bytes(), unit, 300, now, &|| Spot::Query("t".into()))
                .map_err(|fault| fault.code())
        };
        for (text, unit, expected) in [
            ("1700000000", TimeUnit::Seconds, Ok(())),
            ("1699999700", TimeUnit::Seconds, Ok(())),
            ("1699999699", TimeUnit::Seconds, Err("timestamp-too-old")),
            ("1700000300", TimeUnit::Seconds, Ok(())),
            ("1700000301", TimeUnit::Seconds, Err("timestamp-in-future")),
            ("1700000300000", TimeUnit::Milliseconds, Ok(())),
            ("1700000300001", TimeUnit::Milliseconds, Err("timestamp-in-future")),
            ("1699999699999", TimeUnit::Milliseconds, Err("timestamp-too-old")),
            ("2023-11-14T22:13:20Z", TimeUnit::Rfc3339, Ok(())),
            ("2023-11-14T23:13:20.123456789+01:00", TimeUnit::Rfc3339, Ok(())),
            ("2023-11-14T22:03:20Z", TimeUnit::Rfc3339, Err("timestamp-too-old")),
            ("", TimeUnit::Seconds, Err("timestamp-malformed")),
            ("-1700000000", TimeUnit::Seconds, Err("timestamp-malformed")),
            ("1700000000.0", TimeUnit::Seconds, Err("timestamp-malformed")),
            ("99999999999999999999", TimeUnit::Seconds, Err("timestamp-malformed")),
            ("9223372036854775807", TimeUnit::Seconds, Err("timestamp-malformed")),
            ("9223372036854775807", TimeUnit::Milliseconds, Err("timestamp-malformed")),
            ("2023-11-14", TimeUnit::Rfc3339, Err("timestamp-malformed")),
        ] {
            assert_eq!(at(text, unit), expected, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for unit in [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Rfc3339] {
            assert_eq!(read(write(now, unit).as_bytes(), unit), Some(now));
        }
    }
}
