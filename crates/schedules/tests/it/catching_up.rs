//! What happens to instants that nobody was there for: after a restart, a jump of the clock, or while it was disabled.

use chrono::TimeDelta;
use omni_events::Org;
use omni_schedules::{FireStatus, Reason};
use serde_json::{Value, json};

use crate::world::World;

/// Every policy, with the seconds it makes up for of 60 … 605.
fn policies() -> [(&'static str, Value, Vec<i64>); 4] {
    let each = (1..=10).map(|minute| minute * 60);
    [
        ("none", json!({ "catchup": "none" }), vec![600]),
        ("last", json!({ "catchup": "last" }), vec![600]),
        ("all", json!({ "catchup": "all" }), each.collect()),
        ("within", json!({ "catchup": "within", "catchupWindowMs": 130_000 }), vec![480, 540, 600]),
    ]
}

#[tokio::test]
async fn a_restart_makes_up_for_what_the_policy_says() {
    let mut world = World::new().await;
    for (name, more, _) in policies() {
        world.minutely(name, more).await;
    }
    world.minutely("gone", json!({ "catchup": "none" })).await;
    world.stop().await;
    world.pass_to(605);
    world.start();
    world.settle().await;
    for (name, _, expected) in policies() {
        assert_eq!(world.fired(name).await, expected, "{name}");
        let schedule = world.get(name).await;
        assert_eq!((schedule.fired + schedule.missed, schedule.skipped), (10, 0), "{name}");
        let missed = world.seconds(name, FireStatus::Missed).await;
        assert_eq!(missed.len() + expected.len(), 10, "{name}");
    }
    let reasons: Vec<Reason> = world.fires("all", None).await.iter().map(|f| f.reason).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == Reason::Regular).count(), 1);
    assert_eq!(world.schedules.stats().lateness.iter().sum::<u64>(), 5, "one of each was in time");
    world.stop().await;
    world.pass_to(650);
    world.start();
    world.settle().await;
    assert_eq!(world.fired("none").await, [600], "nothing was due");
    world.stop().await;
    world.pass_to(700);
    world.start();
    world.settle().await;
    assert_eq!(world.fired("none").await, [600], "and what was is too old for it");
}

#[tokio::test]
async fn what_passes_while_it_is_disabled_is_caught_up_with() {
    let world = World::new().await;
    for (name, more, _) in policies() {
        world.minutely(name, more).await;
        let off = world.schedules.set_enabled(&Org::default(), name, false).await.unwrap().unwrap();
        assert_eq!((off.next_run, off.definition.enabled, off.version), (None, false, 2));
    }
    world.go_to(605).await;
    for (name, _, expected) in policies() {
        assert_eq!(world.fired(name).await, [] as [i64; 0], "{name}");
        world.schedules.set_enabled(&Org::default(), name, true).await.unwrap().unwrap();
        world.settle().await;
        assert_eq!(world.fired(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_clock_that_jumps_forward_is_caught_up_with() {
    let world = World::new().await;
    for (name, more, _) in policies() {
        world.minutely(name, more).await;
    }
    world.clock.jump(TimeDelta::seconds(605));
    world.settle().await;
    for (name, _, expected) in policies() {
        assert_eq!(world.fired(name).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_clock_that_goes_back_fires_no_instant_again() {
    let world = World::new().await;
    world.minutely("tick", json!({ "catchup": "all" })).await;
    for minute in 1..=70 {
        world.go_to(minute * 60).await;
    }
    world.clock.jump(TimeDelta::hours(-1));
    for minute in 11..=75 {
        world.go_to(minute * 60).await;
    }
    let expected: Vec<i64> = (1..=75).map(|minute| minute * 60).collect();
    assert_eq!(world.fired("tick").await, expected);
}

#[tokio::test]
async fn a_schedule_is_freed_from_a_clock_that_was_far_ahead() {
    let world = World::new().await;
    world.minutely("tick", json!({})).await;
    world.clock.jump(TimeDelta::days(365));
    world.settle().await;
    world.clock.jump(TimeDelta::days(-365));
    world.go_to(120).await;
    assert_eq!(world.fired("tick").await.len(), 1, "everything before next year is decided");
    world.schedules.set_enabled(&Org::default(), "tick", false).await.unwrap();
    world.schedules.set_enabled(&Org::default(), "tick", true).await.unwrap();
    world.go_to(180).await;
    assert!(world.fired("tick").await.contains(&180));
}
