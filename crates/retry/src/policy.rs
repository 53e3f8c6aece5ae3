//! The retry policy and its schedule. It must stay true that `delay_after` is total: any policy,
//! attempt and fraction give an answer, without overflow or panic, and never more than `max_delay_ms`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// No policy may ask for more attempts: with the longest schedules of the trade (about twenty) far
/// below it, a larger number is a mistake that would hide a broken target for months.
pub const ATTEMPTS_MAX: u32 = 1_000;

/// No wait is longer than a week; what must wait longer is a schedule, not a retry.
pub const DELAY_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1_000;

/// How the wait grows from one failure to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Strategy {
    /// Always the initial delay.
    Fixed,
    /// The initial delay times the number of failures so far.
    Linear,
    /// The initial delay doubled after every further failure.
    #[default]
    Exponential,
}

/// How often to try, and how long to wait in between.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Policy {
    /// Attempts in total, the first included; 1 means no retry.
    #[schemars(range(min = 1, max = 1_000))]
    pub max_attempts: u32,
    /// The wait after the first failure, in milliseconds.
    #[schemars(range(max = 604_800_000))]
    pub initial_delay_ms: u64,
    /// The longest wait, in milliseconds, jitter included.
    #[schemars(range(max = 604_800_000))]
    pub max_delay_ms: u64,
    /// How the wait grows.
    pub strategy: Strategy,
    /// The part of the wait that is left to chance: 0.2 spreads it evenly over 80 % to 120 %.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub jitter: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            initial_delay_ms: 1_000,
            max_delay_ms: 60 * 60 * 1_000,
            strategy: Strategy::Exponential,
            jitter: 0.2,
        }
    }
}

impl Policy {
    /// The policy of one attempt and no retry.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Returns the wait after attempt number `attempt` (the first is 1) has failed, or `None` when it
    /// was the last one.
    ///
    /// `fraction` is the chance of this call, in `[0, 1)`; it moves the wait within the jitter, and 0.5
    /// leaves it as scheduled. A fraction outside the range is brought into it.
    pub fn delay_after(&self, attempt: u32, fraction: f64) -> Option<Duration> {
        if attempt >= self.max_attempts {
            return None;
        }
        let failures = u64::from(attempt.max(1));
        let factor = match self.strategy {
            Strategy::Fixed => 1,
            Strategy::Linear => failures,
            // Past 2^63 the cap below decides anyway.
            Strategy::Exponential => 1_u64.checked_shl(attempt.max(1) - 1).unwrap_or(u64::MAX),
        };
        let longest = self.max_delay_ms.min(DELAY_MS_MAX);
        let scheduled = self.initial_delay_ms.saturating_mul(factor).min(longest);
        // Bounded by a week, so the float holds it to far below a microsecond.
        let spread = unit(self.jitter) * (2.0 * unit(fraction) - 1.0);
        let seconds = scheduled as f64 / 1_000.0 * (1.0 + spread);
        Some(Duration::from_secs_f64(seconds).min(Duration::from_millis(longest)))
    }

    /// Says whether the numbers make sense together.
    ///
    /// # Errors
    ///
    /// One sentence for the author of the policy: which field, why, and what is allowed.
    pub fn check(&self) -> Result<(), String> {
        if self.max_attempts == 0 || self.max_attempts > ATTEMPTS_MAX {
            return Err(format!(
                "maxAttempts is {}, but must be 1 (no retry) to {ATTEMPTS_MAX}",
                self.max_attempts
            ));
        }
        if self.max_delay_ms > DELAY_MS_MAX {
            return Err(format!(
                "maxDelayMs is {}, but the longest wait is {DELAY_MS_MAX} (7 days)",
                self.max_delay_ms
            ));
        }
        if self.initial_delay_ms > self.max_delay_ms {
            return Err(format!(
                "initialDelayMs is {}, more than maxDelayMs ({}): lower the first or raise the second",
                self.initial_delay_ms, self.max_delay_ms
            ));
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(format!(
                "jitter is {}, but must be 0 (none) to 1 (anything from no wait to twice the wait)",
                self.jitter
            ));
        }
        Ok(())
    }
}

/// Brings a number into `[0, 1]`; NaN becomes 0.
fn unit(number: f64) -> f64 {
    if number.is_nan() { 0.0 } else { number.clamp(0.0, 1.0) }
}
