//! A process that dies between two phases: what was decided happens once.

use omni_event_log::Draft;
use omni_events::{EventType, Org, Payload};
use omni_schedules::FireStatus;
use omni_store::Store;
use serde_json::json;

use crate::world::{World, at, eventually, postgres};

/// A process that has decided the fire of second 60 and died before its event was in the log.
async fn dies_after_the_decision(store: &Store) -> World {
    let mut world = World::on(store.clone()).await;
    world.minutely("tick", json!({})).await;
    world.go_to(30).await;
    world.hang_the_log();
    world.pass_to(60);
    eventually("the fire is decided", async || {
        world.clock.advance(std::time::Duration::from_millis(20));
        (world.seconds("tick", FireStatus::Pending).await == [60]).then_some(())
    })
    .await;
    world
}

/// The next process takes over; on PostgreSQL only when the lease is over.
async fn next(store: Store, clock: omni_clock::ManualClock) -> World {
    let mut next = World::open(store, clock, 2).await;
    next.start();
    next.go_to(75).await;
    next
}

async fn what_was_decided_and_not_appended_fires(store: Store) {
    let dying = dies_after_the_decision(&store).await;
    let decided = dying.fires("tick", None).await;
    let clock = dying.clock.clone();
    dying.kill().await;
    let next = next(store, clock).await;
    assert_eq!(next.fired("tick").await, [60]);
    let fires = next.fires("tick", None).await;
    assert_eq!((fires.len(), fires[0].event_id), (1, decided[0].event_id));
    assert_eq!(fires[0].status, FireStatus::Fired);
    assert_eq!(next.get("tick").await.fired, 1);
}

#[tokio::test]
async fn what_was_decided_and_not_appended_fires_on_sqlite() {
    what_was_decided_and_not_appended_fires(Store::temporary().await).await;
}

#[tokio::test]
async fn what_was_decided_and_not_appended_fires_on_postgres() {
    what_was_decided_and_not_appended_fires(postgres().await).await;
}

async fn what_was_appended_and_not_marked_is_only_marked(store: Store) {
    let dying = dies_after_the_decision(&store).await;
    let fire = dying.fires("tick", None).await.remove(0);
    let clock = dying.clock.clone();
    dying.kill().await;
    let mut other = World::open(store.clone(), clock.clone(), 3).await;
    // Its last act: the event as it makes it, under the id that the store has promised.
    let event_type = EventType::parse("custom.cron.tick").unwrap();
    let payload = Payload::from_value(&json!({ "by": "the one that died" }));
    let mut draft = Draft::new(Org::default(), event_type, "schedule:tick", payload);
    (draft.id, draft.time) = (Some(fire.event_id), Some(at(60)));
    other.log.append(draft).await.unwrap();
    other.hang_the_log();
    let next = next(store, clock).await;
    let events = next.events("schedule:tick").await;
    assert_eq!(events.len(), 1);
    assert!(events[0].event.payload.as_str().contains("the one that died"));
    assert_eq!(next.seconds("tick", FireStatus::Fired).await, [60]);
}

#[tokio::test]
async fn what_was_appended_and_not_marked_is_only_marked_on_sqlite() {
    what_was_appended_and_not_marked_is_only_marked(Store::temporary().await).await;
}

#[tokio::test]
async fn what_was_appended_and_not_marked_is_only_marked_on_postgres() {
    what_was_appended_and_not_marked_is_only_marked(postgres().await).await;
}

/// The row of the instant and the key of the event are both gone, as after months; the event is still one.
#[tokio::test]
async fn an_instant_fires_once_even_when_everything_about_it_is_forgotten() {
    let world = World::new().await;
    world.minutely("tick", json!({})).await;
    world.go_to(60).await;
    world.store.run_sql("DELETE FROM schedule_fires; DELETE FROM dedupe_keys").await;
    let asked = omni_schedules::Backfill { from: at(0), to: at(60), dry_run: false, max: 10 };
    let report = world.schedules.backfill(&Org::default(), "tick", asked).await.unwrap().unwrap();
    assert_eq!(report.count, 1, "nobody knows that it has fired");
    world.settle().await;
    assert_eq!(world.fired("tick").await, [60]);
    assert_eq!(world.seconds("tick", FireStatus::Fired).await, [60]);
}

/// Stopping as a server does leaves nothing half-done.
#[tokio::test]
async fn a_runner_that_is_stopped_finishes_what_it_has_taken_up() {
    let mut world = World::new().await;
    for number in 0..50 {
        world.minutely(&format!("s{number}"), json!({})).await;
    }
    world.pass_to(60);
    eventually("it has begun", async || {
        world.clock.advance(std::time::Duration::from_millis(20));
        (world.schedules.stats().fired > 0).then_some(())
    })
    .await;
    world.stop().await;
    for number in 0..50 {
        let fires = world.fires(&format!("s{number}"), Some(FireStatus::Pending)).await;
        assert_eq!(fires, [], "s{number}");
    }
}
