//! A cron expression in plain English: `At 09:00, Monday to Friday`.
//!
//! Common expressions are told as people would; the others as the cron library tells them.

use super::{Cron, bits, first, has};

/// Most times of the day that are told one by one.
const TIMES_TOLD_MAX: u32 = 6;
const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const HOURS_ALL: u64 = (1 << 24) - 1;
const SIXTY_ALL: u64 = (1 << 60) - 1;

impl Cron {
    /// What it means, without a zone.
    pub(crate) fn describe(&self) -> String {
        match (self.times(), self.dates()) {
            (Some(times), Some(dates)) => {
                // "Every minute, every day" says nothing that "Every minute" does not.
                let dates = if dates.is_empty() && times.starts_with("At") {
                    "every day".to_owned()
                } else {
                    dates
                };
                [times, dates]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            _ => self.days.describe().trim_end_matches('.').to_owned(),
        }
    }

    fn times(&self) -> Option<String> {
        let count = self.seconds.count_ones() * self.minutes.count_ones() * self.hours.count_ones();
        if count <= TIMES_TOLD_MAX {
            return Some(format!("At {}", list(&self.times_told()?)));
        }
        if self.seconds != 1 {
            let every = every(self.seconds, 60, "second")?;
            let is_plain = self.minutes == SIXTY_ALL && self.hours == HOURS_ALL;
            return is_plain.then_some(every);
        }
        if self.minutes.is_power_of_two() {
            let minute = first(self.minutes, 0)?;
            let hours = every(self.hours, 24, "hour").or_else(|| {
                let (from, to) = run(self.hours)?;
                Some(format!("Every hour from {from:02}:{minute:02} to {to:02}:{minute:02}"))
            })?;
            let is_told = minute == 0 || hours.contains(':');
            return Some(if is_told { hours } else { format!("{hours} at minute {minute}") });
        }
        let minutes = every(self.minutes, 60, "minute")?;
        if self.hours == HOURS_ALL {
            return Some(minutes);
        }
        let (from, to) = run(self.hours)?;
        Some(format!("{minutes} from {from:02}:00 to {to:02}:59"))
    }

    fn times_told(&self) -> Option<Vec<String>> {
        let seconds = places(self.seconds);
        let shows_seconds = seconds != [0];
        let mut told = Vec::new();
        for hour in places(self.hours) {
            for minute in places(self.minutes) {
                for second in &seconds {
                    told.push(if shows_seconds {
                        format!("{hour:02}:{minute:02}:{second:02}")
                    } else {
                        format!("{hour:02}:{minute:02}")
                    });
                }
            }
        }
        (!told.is_empty()).then_some(told)
    }

    fn dates(&self) -> Option<String> {
        let pattern = &self.days;
        let (any_day, any_weekday) = (pattern.is_dom_wildcard(), pattern.is_dow_wildcard());
        if pattern.days.has_modifiers() || pattern.days_of_week.has_modifiers() {
            return None;
        }
        let months = runs(self.months, 1, &MONTHS);
        let all_months = self.months.count_ones() == 12;
        let weekdays = || runs(monday_first(bits(&pattern.days_of_week)), 0, &monday_first_names());
        let days = || {
            let days: Vec<String> =
                places(bits(&pattern.days)).iter().map(ToString::to_string).collect();
            let plural = if days.len() == 1 { "" } else { "s" };
            format!("on day{plural} {}", list(&days))
        };
        let of_months = if all_months { "the month".to_owned() } else { months.clone() };
        Some(match (any_day, any_weekday) {
            (true, true) if all_months => String::new(),
            (true, true) => format!("in {months}"),
            (true, false) if all_months => weekdays(),
            (true, false) => format!("{} in {months}", weekdays()),
            (false, true) => format!("{} of {of_months}", days()),
            (false, false) if pattern.matches_dom_and_dow() => {
                format!("{} of {of_months} if it is {}", days(), weekdays())
            }
            (false, false) => format!("{} of {of_months} and every {}", days(), weekdays()),
        })
    }
}

/// `Every 15 minutes` if the values are equal steps from 0 on through the whole field.
fn every(bits: u64, size: u32, unit: &str) -> Option<String> {
    if !has(bits, 0) {
        return None;
    }
    let step = first(bits, 1)?;
    let is_step = (0..size).all(|place| has(bits, place) == place.is_multiple_of(step));
    match (is_step, step) {
        (false, _) => None,
        (true, 1) => Some(format!("Every {unit}")),
        (true, _) if size.is_multiple_of(step) => Some(format!("Every {step} {unit}s")),
        // Every 7 minutes is 56 and then 0: the steps begin anew.
        (true, _) => {
            let whole = if size == 24 {
                "day"
            } else if unit == "minute" {
                "hour"
            } else {
                "minute"
            };
            Some(format!("Every {step} {unit}s from the full {whole} on"))
        }
    }
}

/// First and last value, if all between them are there.
fn run(bits: u64) -> Option<(u32, u32)> {
    let places = places(bits);
    let (from, to) = (*places.first()?, *places.last()?);
    (to > from && places.len() == (to - from + 1) as usize).then_some((from, to))
}

/// Names of the values, three or more in a row as `Monday to Friday`.
fn runs(bits: u64, offset: u32, names: &[&str]) -> String {
    let name = |place: u32| (*names.get((place - offset) as usize).unwrap_or(&"")).to_owned();
    let mut told = Vec::new();
    let mut rest = places(bits).into_iter().peekable();
    while let Some(from) = rest.next() {
        let mut to = from;
        while let Some(next) = rest.next_if(|next| *next == to + 1) {
            to = next;
        }
        match to - from {
            0 => told.push(name(from)),
            1 => told.extend([name(from), name(to)]),
            _ => told.push(format!("{} to {}", name(from), name(to))),
        }
    }
    list(&told)
}

/// Weekdays with Monday as 0, so that Saturday and Sunday stand together.
fn monday_first(bits: u64) -> u64 {
    (bits >> 1) & 0x3f | (bits & 1) << 6
}

fn monday_first_names() -> [&'static str; 7] {
    let mut names = WEEKDAYS;
    names.rotate_left(1);
    names
}

fn places(bits: u64) -> Vec<u32> {
    (0..64).filter(|place| has(bits, *place)).collect()
}

fn list(items: &[String]) -> String {
    match items {
        [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
        _ => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_told_as_people_would() {
        for (expression, words) in [
            ("0 9 * * 1-5", "At 09:00, Monday to Friday"),
            ("0 9 * * *", "At 09:00, every day"),
            ("30 2,14 * * *", "At 02:30 and 14:30, every day"),
            ("15 0 9 * * *", "At 09:00:15, every day"),
            ("0 0 * * SAT,SUN", "At 00:00, Saturday and Sunday"),
            ("0 0 * * 1,3,5", "At 00:00, Monday, Wednesday and Friday"),
            ("* * * * *", "Every minute"),
            ("* * * * * *", "Every second"),
            ("*/10 * * * * *", "Every 10 seconds"),
            ("*/15 * * * *", "Every 15 minutes"),
            ("*/7 * * * *", "Every 7 minutes from the full hour on"),
            ("0 * * * *", "Every hour"),
            ("20 * * * *", "Every hour at minute 20"),
            ("0 */2 * * *", "Every 2 hours"),
            ("0 9-17 * * 1-5", "Every hour from 09:00 to 17:00, Monday to Friday"),
            ("*/15 9-17 * * 1-5", "Every 15 minutes from 09:00 to 17:59, Monday to Friday"),
            ("0 8 1 * *", "At 08:00, on day 1 of the month"),
            ("0 8 1,15 1-3 *", "At 08:00, on days 1 and 15 of January to March"),
            ("0 8 * 12 *", "At 08:00, in December"),
            ("0 8 * 12 MON", "At 08:00, Monday in December"),
            ("0 0 13 * FRI", "At 00:00, on day 13 of the month and every Friday"),
            ("0 0 13 * +FRI", "At 00:00, on day 13 of the month if it is Friday"),
            ("0 0 L * *", "At 00:00, on the last day of the month"),
        ] {
            assert_eq!(Cron::read(expression).unwrap().describe(), words, "{expression}");
        }
    }
}
