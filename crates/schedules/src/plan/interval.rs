//! Equal distances: multiples of an interval since 1970, each later by a phase. Exact, so that nothing drifts.

/// Instants at equal distances, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    /// At least 1.
    every: i64,
    phase: i64,
}

impl Interval {
    /// Instants `every` milliseconds apart, one of them `phase` after 1970-01-01T00:00:00Z.
    pub(super) fn new(every: i64, phase: i64) -> Self {
        Self { every: every.max(1), phase }
    }

    /// The first instant after `after`.
    pub(super) fn after(self, after: i64) -> i64 {
        self.until(after) + self.every
    }

    /// The last instant up to and with `until`.
    pub(super) fn until(self, until: i64) -> i64 {
        until - (until - self.phase).rem_euclid(self.every)
    }

    /// How many instants lie after `after` up to and with `until`.
    pub(super) fn count(self, after: i64, until: i64) -> u64 {
        let number = |ms: i64| (ms - self.phase).div_euclid(self.every);
        u64::try_from(number(until) - number(after)).unwrap_or(0)
    }

    /// `Every 15 minutes`, with the phase if there is one.
    pub(super) fn describe(self) -> String {
        let every = match told(self.every) {
            one if one.starts_with("1 ") && !one.contains(',') => one.replacen("1 ", "", 1),
            more => more,
        };
        if self.phase == 0 {
            return format!("Every {every}");
        }
        format!("Every {every}, {} after the multiple of it", told(self.phase))
    }
}

/// A length of time in words: `1 hour, 30 minutes`.
fn told(ms: i64) -> String {
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, size) in [
        ("day", 86_400_000),
        ("hour", 3_600_000),
        ("minute", 60_000),
        ("second", 1000),
        ("millisecond", 1),
    ] {
        let count = rest / size;
        rest %= size;
        match count {
            0 => {}
            1 => parts.push(format!("1 {unit}")),
            _ => parts.push(format!("{count} {unit}s")),
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_told_in_units() {
        for (every, phase, words) in [
            (900_000, 0, "Every 15 minutes"),
            (60_000, 0, "Every minute"),
            (5_400_000, 0, "Every 1 hour, 30 minutes"),
            (1_500, 0, "Every 1 second, 500 milliseconds"),
            (86_400_000, 32_400_000, "Every day, 9 hours after the multiple of it"),
        ] {
            assert_eq!(Interval::new(every, phase).describe(), words);
        }
    }

    #[test]
    fn instants_are_multiples_on_both_sides_of_1970() {
        let interval = Interval::new(7_000, 500);
        assert_eq!(interval.after(499), 500);
        assert_eq!(interval.after(500), 7_500);
        assert_eq!(interval.until(499), -6_500);
        assert_eq!(interval.until(500), 500);
        assert_eq!(interval.count(-6_500, 7_500), 2);
        assert_eq!(interval.count(7_500, 500), 0);
    }
}
