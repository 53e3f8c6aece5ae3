//! What cannot be fired: it is said once, tried no more than it should be, and holds up nothing else.

use omni_clock::Clock as _;
use omni_events::{EventType, Org};
use omni_registry::{NewType, TypeOptions};
use omni_schedules::FireStatus;
use serde_json::json;

use crate::world::{World, at, eventually};

/// The reasons of the events of a type about schedules.
async fn told(world: &World, event_type: &str) -> Vec<String> {
    let events = world.events("system:schedules").await;
    let told = events.iter().filter(|stored| stored.event.event_type.as_str() == event_type);
    told.map(|stored| stored.event.payload.as_str().to_owned()).collect()
}

async fn is_told(world: &World, event_type: &str, times: usize) -> Vec<String> {
    eventually("it is told", async || {
        world.clock.advance(std::time::Duration::from_millis(500));
        let told = told(world, event_type).await;
        (told.len() >= times).then_some(told)
    })
    .await
}

#[tokio::test]
async fn an_event_that_is_refused_fails_and_raises_one_alarm() {
    let world = World::new().await;
    let org = Org::default();
    let strict = NewType {
        event_type: EventType::parse("custom.strict").unwrap(),
        schema: json!({ "type": "object", "required": ["amount"] }),
        options: TypeOptions::default(),
        created_by: None,
    };
    world.registry.register(&org, strict).await.unwrap();
    world.minutely("bad", json!({ "eventType": "custom.strict", "overlap": "skip" })).await;
    world.minutely("good", json!({})).await;
    for second in [60, 120, 180] {
        world.go_to(second).await;
    }
    assert_eq!(world.fired("bad").await, [] as [i64; 0]);
    assert_eq!(world.fired("good").await, [60, 120, 180]);
    assert_eq!(
        world.seconds("bad", FireStatus::Failed).await,
        [60, 120, 180],
        "work on an event that is not there is never waited for"
    );
    let bad = world.get("bad").await;
    assert!(bad.alarm.as_ref().unwrap().contains("amount"), "{:?}", bad.alarm);
    let alarms = is_told(&world, "system.schedule.alarm", 1).await;
    assert!(alarms[0].contains(r#""name":"bad""#));
    world.go_to(260).await;
    assert_eq!(told(&world, "system.schedule.alarm").await.len(), 1, "it is told once");
    let by_hand = world.schedules.trigger(&org, "bad", None).await.unwrap().unwrap();
    assert_eq!(by_hand.status, FireStatus::Failed);
    assert!(by_hand.error.is_some());

    let mended = omni_schedules::Definition { event_type: None, ..bad.definition };
    world.schedules.update(&org, "bad", mended, None).await.unwrap();
    world.go_to(300).await;
    assert_eq!(world.fired("bad").await, [300]);
    assert_eq!(world.get("bad").await.alarm, None);
}

#[tokio::test]
async fn a_definition_that_cannot_be_read_raises_an_alarm_and_holds_up_no_other() {
    let world = World::new().await;
    world.minutely("broken", json!({})).await;
    world.minutely("good", json!({})).await;
    let break_it = "UPDATE schedules SET definition = '{\"from\":\"next year\"}', version = 9 WHERE name = 'broken'";
    world.store.run_sql(break_it).await;
    world.go_to(60).await;
    assert_eq!(world.fired("good").await, [60]);
    let alarms = is_told(&world, "system.schedule.alarm", 1).await;
    assert!(alarms[0].contains("broken"), "{alarms:?}");
    world.go_to(7_300).await;
    assert_eq!(told(&world, "system.schedule.alarm").await.len(), 1, "the same is told once");
}

#[tokio::test]
async fn an_instant_that_nobody_deals_with_is_overdue() {
    let mut world = World::new().await;
    world.minutely("late", json!({})).await;
    world.stop().await;
    world.pass_to(110);
    assert!(!world.get("late").await.overdue);
    world.pass_to(125);
    assert!(world.get("late").await.overdue);
    assert_eq!(world.get("late").await.next_run, Some(at(60)));
    let hold = "CREATE TRIGGER hold BEFORE UPDATE OF decided_until ON schedules BEGIN SELECT RAISE(ABORT, 'held'); END";
    world.store.run_sql(hold).await;
    world.start();
    let alarms = is_told(&world, "system.schedule.overdue", 1).await;
    assert!(alarms[0].contains(r#""name":"late""#), "{alarms:?}");
    world.pass_to(600);
    eventually("it is looked at once more", async || {
        world.clock.advance(std::time::Duration::from_millis(500));
        (world.clock.now() > at(640)).then_some(())
    })
    .await;
    assert_eq!(told(&world, "system.schedule.overdue").await.len(), 1, "it is told once");
    assert_eq!(world.schedules.stats().overdue, 1);
    world.store.run_sql("DROP TRIGGER hold").await;
    world.settle().await;
    assert!(!world.get("late").await.overdue, "somebody deals with it");
}
