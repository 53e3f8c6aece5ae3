//! Times as people type them: RFC 3339, or from now on.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::error::Error;

/// `2026-12-24T18:00:00Z`, `2026-12-24T19:00:00+01:00`, `+30s`, `+10m`, `+2h`, `+1d`, as the server reads them.
pub(super) fn time(text: &str, now: DateTime<Utc>) -> Result<String, Error> {
    let wrong = || {
        Error::Usage(format!(
            "--at {text}: no time\nnext: write 2026-12-24T18:00:00Z, or +10m (s, m, h, d) from now on"
        ))
    };
    let time = match text.strip_prefix('+') {
        Some(later) => {
            let unit = later.chars().next_back().ok_or_else(wrong)?;
            let amount = later.strip_suffix(unit).and_then(|amount| amount.parse::<u32>().ok());
            let seconds = match unit {
                's' => 1,
                'm' => 60,
                'h' => 3600,
                'd' => 86_400,
                _ => return Err(wrong()),
            };
            let seconds = i64::from(amount.ok_or_else(wrong)?) * seconds;
            now.checked_add_signed(TimeDelta::seconds(seconds)).ok_or_else(wrong)?
        }
        None => DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?.to_utc(),
    };
    Ok(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// `500ms`, `30s`, `15m`, `2h`, `1d` or several of them such as `1h30m`, in milliseconds.
pub(super) fn duration_ms(option: &str, text: &str) -> Result<u64, Error> {
    let read = || {
        let (mut total, mut rest) = (0_u64, text);
        while !rest.is_empty() {
            let (amount, after) = rest.split_at(rest.find(|char: char| !char.is_ascii_digit())?);
            let end = after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len());
            let (unit, next) = after.split_at(end);
            let unit = match unit {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            };
            total = total.checked_add(amount.parse::<u64>().ok()?.checked_mul(unit)?)?;
            rest = next;
        }
        (!text.is_empty()).then_some(total)
    };
    read().ok_or_else(|| {
        Error::Usage(format!(
            "{option} {text}: no duration\nnext: write 500ms, 30s, 15m, 2h, 1d, or several such as 1h30m"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now = DateTime::from_timestamp(1_795_255_200, 0).unwrap();
        let read = |text| time(text, now).unwrap();
        assert_eq!(read("+90s"), "2026-11-21T10:01:30.000Z");
        assert_eq!(read("+10m"), "2026-11-21T10:10:00.000Z");
        assert_eq!(read("+2h"), "2026-11-21T12:00:00.000Z");
        assert_eq!(read("+1d"), "2026-11-22T10:00:00.000Z");
        assert_eq!(read("2026-12-24T19:00:00+01:00"), "2026-12-24T18:00:00.000Z");
        for wrong in ["", "+", "+m", "+10", "+10w", "+-1m", "tomorrow", "2026-12-24"] {
            assert!(matches!(time(wrong, now), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let read = |text| duration_ms("--every", text);
        assert_eq!(read("15m").unwrap(), 900_000);
        assert_eq!(read("1h30m").unwrap(), 5_400_000);
        assert_eq!(read("1d2h3m4s5ms").unwrap(), 93_784_005);
        for wrong in ["", "15", "m", "1w", "-1m", "1.5h", "1 h", "99999999999999999999s", "1é"] {
            let told = read(wrong).unwrap_err().to_string();
            assert!(told.starts_with(&format!("--every {wrong}: ")), "{told}");
        }
    }
}
