//! A schedule on a quiet day.

use omni_events::Org;
use omni_schedules::{Definition, FireStatus, Reason};
use omni_store::Store;
use serde_json::{Value, json};

use crate::world::{World, at, postgres};

async fn fires_at_the_instant_and_not_before(store: Store) {
    let world = World::on(store).await;
    let schedule = world.minutely("tick", json!({ "payload": { "a": 1 } })).await;
    assert_eq!((schedule.next_run, schedule.last_run), (Some(at(60)), None));
    world.go_to(59).await;
    assert_eq!(world.fired("tick").await, [] as [i64; 0]);
    world.go_to(60).await;
    assert_eq!(world.fired("tick").await, [60]);
    world.go_to(180).await;
    assert_eq!(world.fired("tick").await, [60, 180], "the last of what was slept through");

    let events = world.events("schedule:tick").await;
    let event = &events[0].event;
    let fires = world.fires("tick", Some(FireStatus::Fired)).await;
    let fire = fires.last().unwrap();
    assert_eq!((event.id, event.time), (fire.event_id, at(60)));
    assert_eq!(event.event_type.as_str(), "custom.cron.tick");
    assert_eq!(event.metadata.correlation_id, event.id.to_string());
    assert!(event.metadata.traceparent.as_ref().unwrap().contains(&event.id.simple().to_string()));
    let payload: Value = serde_json::from_str(event.payload.as_str()).unwrap();
    assert_eq!(payload["a"], 1);
    let said = &payload["schedule"];
    assert_eq!((&said["name"], &said["number"]), (&json!("tick"), &json!(1)));
    assert_eq!(
        (&said["reason"], &said["nominal"]),
        (&json!("regular"), &json!("2023-11-14T22:15:00.000Z"))
    );
    assert!(said["actual"].as_str().unwrap() >= "2023-11-14T22:15:00.000Z");
    assert_eq!((fire.number, fire.reason), (Some(1), Reason::Regular));
    let schedule = world.get("tick").await;
    assert_eq!((schedule.fired, schedule.missed, schedule.skipped), (2, 1, 0));
    assert_eq!(schedule.next_run, Some(at(240)));
    assert!(schedule.last_run.unwrap() >= at(180));
    let stats = world.schedules.stats();
    assert_eq!((stats.fired, stats.missed), (2, 1));
    assert_eq!(stats.lateness.iter().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_schedule_fires_at_the_instant_and_not_before_on_sqlite() {
    fires_at_the_instant_and_not_before(Store::temporary().await).await;
}

#[tokio::test]
async fn a_schedule_fires_at_the_instant_and_not_before_on_postgres() {
    fires_at_the_instant_and_not_before(postgres().await).await;
}

#[tokio::test]
async fn a_payload_says_when_and_why_it_fired() {
    let world = World::new().await;
    let payload = json!({
        "text": "{{ schedule.name }} {{ fire.nominal }} {{ fire.local }}",
        "number": "{{ fire.number }}",
        "schedule": "mine",
    });
    world
        .minutely(
            "told",
            json!({ "payload": payload, "timezone": "Europe/Berlin", "eventType": "custom.told" }),
        )
        .await;
    world.minutely("text", json!({ "payload": "{{ fire.reason }}" })).await;
    world.go_to(60).await;
    let event = &world.events("schedule:told").await[0].event;
    assert_eq!(event.event_type.as_str(), "custom.told");
    let payload: Value = serde_json::from_str(event.payload.as_str()).unwrap();
    let expected = json!({
        "text": "told 2023-11-14T22:15:00.000Z 2023-11-14T23:15:00+01:00[Europe/Berlin]",
        "number": 1,
        "schedule": "mine",
    });
    assert_eq!(payload, expected);
    let text = &world.events("schedule:text").await[0].event;
    assert_eq!(text.payload.as_str(), r#""regular""#);
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_its_place() {
    let world = World::new().await;
    let definition = json!({
        "name": "wrong",
        "kind": "interval",
        "intervalMs": 60_000,
        "eventType": "system.dead_letter",
        "payload": { "a": ["{{ payload.x }}"] },
    });
    let definition: Definition = serde_json::from_value(definition).unwrap();
    let error = world.schedules.create(&Org::default(), definition, None).await.unwrap_err();
    let omni_schedules::Error::Invalid(problems) = error else { panic!("{error}") };
    let places: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(places, ["/eventType", "/payload/a/0"]);
}

#[tokio::test]
async fn it_ends_after_so_many_fires_and_counts_only_what_fired() {
    let world = World::new().await;
    world.minutely("few", json!({ "maxFires": 3 })).await;
    world.schedules.trigger(&Org::default(), "few", None).await.unwrap().unwrap();
    for second in [60, 180, 240, 300, 360] {
        world.go_to(second).await;
    }
    let fired: Vec<i64> = world.fired("few").await;
    assert_eq!(fired, [0, 60, 180, 240], "one by hand, and three; 120 was missed");
    let schedule = world.get("few").await;
    assert_eq!((schedule.next_run, schedule.alarm), (None, None));
    assert_eq!(world.schedules.next(&Org::default(), "few", 5).await.unwrap().unwrap(), []);
    let definition = Definition { max_fires: Some(4), ..schedule.definition };
    world.schedules.update(&Org::default(), "few", definition, None).await.unwrap();
    world.go_to(420).await;
    assert_eq!(world.fired("few").await.last(), Some(&420), "more were allowed");
}

#[tokio::test]
async fn one_for_a_single_moment_fires_once_and_has_ended() {
    let world = World::new().await;
    world.define(json!({ "name": "once", "kind": "once", "at": "2023-11-14T22:15:30Z" })).await;
    world.go_to(60).await;
    assert_eq!(world.fired("once").await, [] as [i64; 0]);
    world.go_to(90).await;
    world.go_to(900).await;
    assert_eq!(world.fired("once").await, [90]);
    assert_eq!(world.get("once").await.next_run, None);
    let now = json!({ "name": "now", "kind": "once", "at": "2023-11-14T22:28:55Z" });
    world.define(now).await;
    world.settle().await;
    assert_eq!(world.fired("now").await, [895], "it was for a moment that is just over");
}

#[tokio::test]
async fn a_thousand_schedules_due_at_one_instant_all_fire() {
    let world = World::new().await;
    for number in 0..1_000 {
        world.minutely(&format!("s{number}"), json!({})).await;
    }
    world.go_to(60).await;
    let mut sources: Vec<String> = Vec::new();
    for number in 0..1_000 {
        let fires = world.fires(&format!("s{number}"), None).await;
        assert_eq!((fires.len(), fires[0].status), (1, FireStatus::Fired), "s{number}");
        sources.push(fires[0].event_id.to_string());
    }
    sources.sort_unstable();
    sources.dedup();
    assert_eq!(sources.len(), 1_000);
    assert_eq!(world.schedules.stats().fired, 1_000);
}

#[tokio::test]
async fn jitter_delays_a_fire_by_what_next_has_said() {
    let world = World::new().await;
    world.minutely("late", json!({ "jitterMs": 30_000 })).await;
    let next = world.schedules.next(&Org::default(), "late", 1).await.unwrap().unwrap();
    let (second, jitter) = (next[0].time.timestamp() - at(0).timestamp(), next[0].jitter_ms);
    assert!((2_000..=30_000).contains(&jitter), "the seed makes one that can be told: {jitter}");
    world.pass_to(second);
    crate::world::eventually("it is decided", async || {
        world.clock.advance(std::time::Duration::from_millis(1));
        (world.fires("late", Some(FireStatus::Pending)).await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(world.fired("late").await, [] as [i64; 0]);
    world.go_to(second + jitter / 1_000 + 1).await;
    assert_eq!(world.fired("late").await, [second]);
}
