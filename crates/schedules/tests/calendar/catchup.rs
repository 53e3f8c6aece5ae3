//! What becomes of instants that nobody was there for.

use chrono::{DateTime, TimeDelta, Utc};
use omni_schedules::{CatchUp, Catchup, Plan, catch_up};
use proptest::prelude::*;
use serde_json::json;

use crate::{at, plan};

const GRACE: TimeDelta = TimeDelta::seconds(10);

fn minutely() -> Plan {
    plan(json!({ "schedule": "* * * * *", "catchup": "within", "catchupWindowMs": 180_000 }))
}

fn decide(plan: &Plan, policy: Catchup, after: &str, now: &str) -> CatchUp {
    catch_up(plan, policy, at(after), at(now), GRACE)
}

#[test]
fn each_policy_fires_what_it_says() {
    let plan = minutely();
    let minute = |minute: u32| at(&format!("2026-01-01T00:{minute:02}:00Z"));
    let table = [
        (Catchup::None, vec![], 10),
        (Catchup::Last, vec![minute(10)], 9),
        (Catchup::All, (1..=10).map(minute).collect(), 0),
        (Catchup::Within, (8..=10).map(minute).collect(), 7),
    ];
    for (policy, fire, missed) in table {
        let decided = decide(&plan, policy, "2026-01-01T00:00:00Z", "2026-01-01T00:10:30Z");
        assert_eq!(decided, CatchUp { fire, missed, at_least: false }, "{policy:?}");
    }
}

#[test]
fn what_is_as_young_as_the_grace_is_due_under_every_policy() {
    let plan = minutely();
    for policy in [Catchup::None, Catchup::Last] {
        for (now, due) in [("2026-01-01T00:05:10Z", true), ("2026-01-01T00:05:10.001Z", false)] {
            let decided = decide(&plan, policy, "2026-01-01T00:00:00Z", now);
            let fires = due || policy == Catchup::Last;
            let fire = if fires { vec![at("2026-01-01T00:05:00Z")] } else { vec![] };
            assert_eq!(
                (decided.fire, decided.missed),
                (fire, 5 - u64::from(fires)),
                "{policy:?} {now}"
            );
        }
    }
}

#[test]
fn a_window_counts_to_the_millisecond() {
    let plan = minutely();
    for (now, oldest) in [("2026-01-01T00:10:00Z", 7), ("2026-01-01T00:10:00.001Z", 8)] {
        let decided = decide(&plan, Catchup::Within, "2026-01-01T00:00:00Z", now);
        assert_eq!(decided.fire[0], at(&format!("2026-01-01T00:{oldest:02}:00Z")), "{now}");
    }
}

#[test]
fn a_clock_that_went_back_decides_nothing_twice() {
    for policy in [Catchup::None, Catchup::Last, Catchup::All, Catchup::Within] {
        for now in ["2026-01-01T00:10:00Z", "2026-01-01T00:09:59Z", "2025-01-01T00:00:00Z"] {
            let decided = decide(&minutely(), policy, "2026-01-01T00:10:00Z", now);
            assert_eq!(decided, CatchUp::default(), "{policy:?} {now}");
        }
    }
}

#[test]
fn years_of_every_second_are_bounded_and_the_newest_are_kept() {
    let now = at("2026-01-01T00:00:00.500Z");
    for fields in [
        json!({ "schedule": "* * * * * *", "timezone": "Europe/Berlin" }),
        json!({ "kind": "interval", "intervalMs": 1000 }),
    ] {
        let plan = plan(fields.clone());
        for after in [at("1990-01-01T00:00:00Z"), DateTime::<Utc>::MIN_UTC] {
            let decided = catch_up(&plan, Catchup::All, after, now, GRACE);
            assert_eq!(decided.fire.len(), 1_000, "{fields}");
            assert_eq!(decided.fire[999], at("2026-01-01T00:00:00Z"), "{fields}");
            assert_eq!(decided.at_least, fields.get("schedule").is_some(), "{fields}");
            assert!(decided.missed >= 10_000, "{fields}");
        }
    }
    let exact = plan(json!({ "kind": "interval", "intervalMs": 1000 }));
    let decided =
        catch_up(&exact, Catchup::None, at("2025-01-01T00:00:00Z"), now, TimeDelta::zero());
    assert_eq!((decided.missed, decided.at_least), (365 * 86_400, false));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn every_instant_fires_or_is_missed(
        minutes in 1_i64..300, seconds in 0_i64..60, step in 1_u32..20, seed in 0_usize..4, grace in 0_i64..400,
    ) {
        let policy = [Catchup::None, Catchup::Last, Catchup::All, Catchup::Within][seed];
        let plan = plan(json!({
            "schedule": format!("*/{step} * * * *"), "catchup": "within", "catchupWindowMs": 600_000,
        }));
        let after = at("2026-03-29T00:00:00Z");
        let now = after + TimeDelta::minutes(minutes) + TimeDelta::seconds(seconds);
        let grace = TimeDelta::seconds(grace);
        let all = plan.between(after, now, 10_000);
        let decided = catch_up(&plan, policy, after, now, grace);
        prop_assert_eq!(decided.fire.len() as u64 + decided.missed, all.len() as u64);
        prop_assert!(all.ends_with(&decided.fire));
        prop_assert!(!decided.at_least);
        let due = all.iter().filter(|instant| now - **instant <= grace).count();
        prop_assert!(decided.fire.len() >= due);
        if policy == Catchup::None {
            prop_assert_eq!(decided.fire.len(), due);
        }
    }
}
