//! The policy and the header against the case files in `testdata/`, and for any numbers at all.

use std::time::Duration;

use chrono::{DateTime, Utc};
use omni_retry::{DELAY_MS_MAX, Policy, RETRY_AFTER_MAX, Strategy as Growth, retry_after};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DelayCase {
    name: String,
    policy: Policy,
    fraction: f64,
    delays_ms: Vec<Option<u64>>,
}

#[derive(Deserialize)]
struct HeaderCases {
    now: DateTime<Utc>,
    cases: Vec<HeaderCase>,
}

#[derive(Deserialize)]
struct HeaderCase {
    value: String,
    seconds: Option<u64>,
}

#[test]
fn delays() {
    let cases: Vec<DelayCase> =
        serde_json::from_str(include_str!("../testdata/delays.json")).unwrap();
    for case in cases {
        assert_eq!(case.policy.check(), Ok(()), "{}", case.name);
        for (attempt, expected) in (1..).zip(&case.delays_ms) {
            let delay = case.policy.delay_after(attempt, case.fraction);
            let expected = expected.map(Duration::from_millis);
            assert_eq!(delay, expected, "{}, after attempt {attempt}", case.name);
        }
    }
}

#[test]
fn headers() {
    let file: HeaderCases =
        serde_json::from_str(include_str!("../testdata/retry_after.json")).unwrap();
    for case in file.cases {
        let wait = retry_after(&case.value, file.now).map(|wait| wait.as_secs());
        assert_eq!(wait, case.seconds, "{:?}", case.value);
    }
}

#[test]
fn two_digit_years_belong_to_the_century_of_now() {
    let now = "2099-12-31T23:59:00Z".parse().unwrap();
    // 00 is 2000 for the parser, long ago at this `now`; the form is obsolete, the answer harmless.
    assert_eq!(retry_after("Friday, 01-Jan-00 00:00:00 GMT", now), None, "wrong weekday");
    assert_eq!(retry_after("Saturday, 01-Jan-00 00:00:00 GMT", now), Some(Duration::ZERO));
    let now = "1994-11-06T08:49:00Z".parse().unwrap();
    // 68 reads as 2068, 74 years ahead: the year 1968 is meant.
    assert_eq!(retry_after("Friday, 06-Jan-68 00:00:00 GMT", now), Some(Duration::ZERO));
}

#[test]
fn unreasonable_policies_are_explained() {
    let broken = [
        (Policy { max_attempts: 0, ..Policy::default() }, "maxAttempts is 0"),
        (Policy { max_attempts: 1_001, ..Policy::default() }, "maxAttempts is 1001"),
        (Policy { max_delay_ms: 10, ..Policy::default() }, "initialDelayMs is 1000, more than"),
        (Policy { max_delay_ms: DELAY_MS_MAX + 1, ..Policy::default() }, "maxDelayMs is"),
        (Policy { jitter: -0.1, ..Policy::default() }, "jitter is -0.1"),
        (Policy { jitter: f64::NAN, ..Policy::default() }, "jitter is NaN"),
    ];
    for (policy, start) in broken {
        let message = policy.check().unwrap_err();
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn the_json_form_is_strict_and_camel_case() {
    let policy: Policy =
        serde_json::from_str(r#"{"maxAttempts":3,"initialDelayMs":1000,"strategy":"exponential"}"#)
            .unwrap();
    assert_eq!(policy, Policy::default());
    let unknown = serde_json::from_str::<Policy>(r#"{"maxAttempt":3}"#).unwrap_err();
    assert!(unknown.to_string().contains("unknown field `maxAttempt`"), "{unknown}");
    let strategy = serde_json::from_str::<Policy>(r#"{"strategy":"cubic"}"#).unwrap_err();
    assert!(strategy.to_string().contains("`fixed`, `linear`, `exponential`"), "{strategy}");
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let growth = prop_oneof![Just(Growth::Fixed), Just(Growth::Linear), Just(Growth::Exponential)];
    (any::<u32>(), any::<u64>(), any::<u64>(), growth, any::<f64>()).prop_map(
        |(max_attempts, initial_delay_ms, max_delay_ms, strategy, jitter)| Policy {
            max_attempts,
            initial_delay_ms,
            max_delay_ms,
            strategy,
            jitter,
        },
    )
}

proptest! {
    #[test]
    fn no_numbers_break_the_schedule(policy in any_policy(), attempt: u32, fraction: f64) {
        let delay = policy.delay_after(attempt, fraction);
        prop_assert_eq!(delay.is_none(), attempt >= policy.max_attempts);
        prop_assert!(delay.unwrap_or_default() <= Duration::from_millis(policy.max_delay_ms.min(DELAY_MS_MAX)));
    }

    #[test]
    fn waits_do_not_shrink(mut policy in any_policy(), attempt in 1..200_u32) {
        policy.max_attempts = u32::MAX;
        prop_assert!(policy.delay_after(attempt, 0.5) <= policy.delay_after(attempt + 1, 0.5));
    }

    #[test]
    fn no_header_breaks_us(value in ".{0,80}", seconds in 0..4_102_444_800_i64) {
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        prop_assert!(retry_after(&value, now).unwrap_or_default() <= RETRY_AFTER_MAX);
    }

    #[test]
    fn dates_written_by_us_are_read_back(ahead in 0..90_000_u32, seconds in 0..4_102_444_800_i64) {
        let now = DateTime::from_timestamp(seconds, 0).unwrap();
        let until = now + Duration::from_secs(u64::from(ahead));
        let value = until.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let expected = Duration::from_secs(u64::from(ahead)).min(RETRY_AFTER_MAX);
        prop_assert_eq!(retry_after(&value, now), Some(expected));
    }
}
