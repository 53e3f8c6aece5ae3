//! A definition that changes while its schedule is at work.

use omni_events::Org;
use omni_schedules::{Definition, Error, FireStatus, Instant};
use serde_json::json;

use crate::world::{World, at, eventually};

#[tokio::test]
async fn a_schedule_is_made_shown_changed_and_deleted() {
    let world = World::new().await;
    let org = Org::default();
    let made = world.minutely("a", json!({ "timezone": "Europe/Berlin" })).await;
    assert_eq!((made.version, made.created_by.as_deref()), (1, Some("mona")));
    assert_eq!(made.next_run_local.as_deref(), Some("2023-11-14T23:15:00+01:00[Europe/Berlin]"));
    assert!(!made.describes.is_empty());
    assert_eq!(world.get("a").await, made);
    let again = world.schedules.create(&org, made.definition.clone(), None).await;
    assert!(matches!(again, Err(Error::Exists(name)) if name == "a"));
    for name in ["c", "b"] {
        world.minutely(name, json!({})).await;
    }
    let names = async |after, limit| -> Vec<String> {
        let found = world.schedules.list(&org, after, limit).await.unwrap();
        found.into_iter().map(|schedule| schedule.definition.name).collect()
    };
    assert_eq!(names(None, 2).await, ["a", "b"]);
    assert_eq!(names(Some("b"), 2).await, ["c"]);

    let renamed = Definition { name: "z".into(), ..made.definition.clone() };
    let refused = world.schedules.update(&org, "a", renamed, None).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(problems) if problems[0].pointer == "/name"));
    let said = Definition { description: Some("d".into()), ..made.definition.clone() };
    let changed = world.schedules.update(&org, "a", said.clone(), Some(1)).await.unwrap().unwrap();
    assert_eq!((changed.version, changed.definition.description.as_deref()), (2, Some("d")));
    let stale = world.schedules.update(&org, "a", said.clone(), Some(1)).await;
    assert!(matches!(stale, Err(Error::Stale { current: 2 })));
    assert_eq!(world.schedules.update(&org, "none", said, None).await.unwrap(), None);

    assert!(world.schedules.delete(&org, "a").await.unwrap());
    assert!(!world.schedules.delete(&org, "a").await.unwrap());
    assert_eq!(world.schedules.get(&org, "a").await.unwrap(), None);
    world.go_to(60).await;
    assert_eq!(world.fired("a").await, [] as [i64; 0]);
    assert_eq!(world.fired("b").await, [60]);
}

#[tokio::test]
async fn organisations_do_not_see_each_other() {
    let world = World::new().await;
    world.minutely("a", json!({})).await;
    let acme = Org::parse("acme").unwrap();
    assert_eq!(world.schedules.get(&acme, "a").await.unwrap(), None);
    assert_eq!(world.schedules.trigger(&acme, "a", None).await.unwrap(), None);
    assert!(!world.schedules.delete(&acme, "a").await.unwrap());
    let definition = world.get("a").await.definition;
    world.schedules.create(&acme, definition, None).await.unwrap();
    world.go_to(60).await;
    let theirs = world.schedules.get(&acme, "a").await.unwrap().unwrap();
    assert_eq!((theirs.fired, world.get("a").await.fired), (1, 1));
    assert_eq!(world.fired("a").await, [60], "the other has its own log");
}

#[tokio::test]
async fn a_new_plan_counts_from_now_and_what_was_due_is_decided_before() {
    let mut world = World::new().await;
    let org = Org::default();
    world.minutely("a", json!({})).await;
    world.stop().await;
    world.pass_to(65);
    let hourly = Definition { interval_ms: Some(1_000), ..world.get("a").await.definition };
    let changed = world.schedules.update(&org, "a", hourly, None).await.unwrap().unwrap();
    assert_eq!(world.fired("a").await, [60], "it was due under the old plan");
    assert_eq!(changed.next_run, Some(at(66)), "what is past under the new one is not missed");
    assert_eq!(changed.missed, 0);
    world.start();
    world.go_to(66).await;
    assert_eq!(world.fired("a").await.last(), Some(&66));
}

#[tokio::test]
async fn a_new_payload_loses_nothing_that_is_due() {
    let mut world = World::new().await;
    let org = Org::default();
    world.minutely("a", json!({})).await;
    world.stop().await;
    world.pass_to(62);
    let definition =
        Definition { payload: json!({ "new": true }), ..world.get("a").await.definition };
    world.schedules.update(&org, "a", definition, None).await.unwrap().unwrap();
    world.start();
    world.settle().await;
    assert_eq!(world.fired("a").await, [60]);
    assert!(world.events("schedule:a").await[0].event.payload.as_str().contains("new"));
}

/// A fire whose jitter is not over when its schedule changes fires all the same, once, and as the definition is by then.
#[tokio::test]
async fn an_update_keeps_fires_that_are_pending() {
    let world = World::new().await;
    let org = Org::default();
    world.minutely("a", json!({ "jitterMs": 50_000 })).await;
    let next = world.schedules.next(&org, "a", 1).await.unwrap().unwrap();
    let [Instant { time, jitter_ms, .. }] = next.as_slice() else { panic!("{next:?}") };
    assert!(*jitter_ms > 2_000);
    world.pass_to((*time - at(0)).num_seconds());
    eventually("it is decided", async || {
        world.clock.advance(std::time::Duration::from_millis(1));
        (world.fires("a", Some(FireStatus::Pending)).await.len() == 1).then_some(())
    })
    .await;
    let definition = Definition {
        jitter_ms: 0,
        interval_ms: Some(3_600_000),
        payload: json!({ "new": true }),
        ..world.get("a").await.definition
    };
    world.schedules.update(&org, "a", definition, None).await.unwrap().unwrap();
    world.go_to(150).await;
    assert_eq!(world.fired("a").await, [60]);
    assert!(world.events("schedule:a").await[0].event.payload.as_str().contains("new"));
}

#[tokio::test]
async fn a_schedule_that_has_ended_is_not_enabled() {
    let world = World::new().await;
    let org = Org::default();
    world.define(json!({ "name": "once", "kind": "once", "at": "2023-11-14T22:15:00Z" })).await;
    world.go_to(60).await;
    world.schedules.set_enabled(&org, "once", false).await.unwrap();
    let refused = world.schedules.set_enabled(&org, "once", true).await;
    assert!(matches!(refused, Err(Error::Ended(name)) if name == "once"));
    assert!(!world.get("once").await.definition.enabled);
}
