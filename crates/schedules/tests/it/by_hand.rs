//! Fires that somebody asks for, and does not want any more.

use omni_events::Org;
use omni_schedules::{Backfill, Error, FireStatus, Reason};
use omni_store::Store;
use serde_json::json;

use crate::world::{World, at, eventually, postgres};

fn asked(from: i64, to: i64) -> Backfill {
    Backfill { from: at(from), to: at(to), dry_run: false, max: 1_000 }
}

#[tokio::test]
async fn a_fire_by_hand_happens_at_once_and_does_not_count() {
    let world = World::new().await;
    let org = Org::default();
    world.minutely("a", json!({ "enabled": false })).await;
    let fire = world.schedules.trigger(&org, "a", Some("lea")).await.unwrap().unwrap();
    assert_eq!((fire.status, fire.reason, fire.number), (FireStatus::Fired, Reason::Manual, None));
    let other = world.schedules.trigger(&org, "a", None).await.unwrap().unwrap();
    assert_ne!(fire.event_id, other.event_id, "two in one moment are two");
    let events = world.events("schedule:a").await;
    assert_eq!(events.len(), 2);
    assert_eq!(events[0].event.id, fire.event_id);
    assert_eq!(events[0].event.metadata.triggered_by.as_deref(), Some("lea"));
    assert!(events[0].event.payload.as_str().contains(r#""reason":"manual""#));
    assert_eq!(world.schedules.trigger(&org, "none", None).await.unwrap(), None);
    world.schedules.set_enabled(&org, "a", true).await.unwrap();
    world.go_to(60).await;
    assert_eq!(world.fires("a", None).await[0].number, Some(1));
}

async fn a_backfill_fires_what_is_missing(store: Store) {
    let mut world = World::on(store).await;
    let org = Org::default();
    world.minutely("a", json!({ "catchup": "none" })).await;
    world.go_to(60).await;
    world.stop().await;
    world.pass_to(300);
    world.start();
    world.settle().await;
    assert_eq!(world.fired("a").await, [60, 300]);
    assert_eq!(world.get("a").await.missed, 3);

    let dry = Backfill { dry_run: true, ..asked(-120, 600) };
    let report = world.schedules.backfill(&org, "a", dry.clone()).await.unwrap().unwrap();
    let seconds: Vec<i64> =
        report.instants.iter().map(|i| (i.time - at(0)).num_seconds()).collect();
    assert_eq!(seconds, [-60, 0, 120, 180, 240], "`from` is not a part of it, nor what is to come");
    assert_eq!((report.count, report.present, report.next_from), (5, 2, None));
    world.settle().await;
    assert_eq!(world.fired("a").await.len(), 2, "nothing was done");

    let some = Backfill { max: 2, ..asked(-120, 600) };
    let first = world.schedules.backfill(&org, "a", some).await.unwrap().unwrap();
    assert_eq!((first.count, first.next_from), (2, Some(at(0))));
    for _ in 0..2 {
        world.schedules.backfill(&org, "a", asked(-120, 600)).await.unwrap().unwrap();
        world.settle().await;
    }
    let mut fired = world.fired("a").await;
    fired.sort_unstable();
    assert_eq!(fired, [-60, 0, 60, 120, 180, 240, 300]);
    let report = world.schedules.backfill(&org, "a", dry).await.unwrap().unwrap();
    assert_eq!((report.count, report.present), (0, 7));
    let filled = world.fires("a", None).await;
    let filled = filled.iter().filter(|fire| fire.reason == Reason::Backfill);
    assert!(filled.clone().all(|fire| fire.number.is_none()), "they do not count");
    assert_eq!(filled.count(), 5);
}

#[tokio::test]
async fn a_backfill_fires_what_is_missing_once_on_sqlite() {
    a_backfill_fires_what_is_missing(Store::temporary().await).await;
}

#[tokio::test]
async fn a_backfill_fires_what_is_missing_once_on_postgres() {
    a_backfill_fires_what_is_missing(postgres().await).await;
}

#[tokio::test]
async fn a_backfill_of_nothing_or_too_much_is_refused() {
    let world = World::new().await;
    world.minutely("a", json!({})).await;
    for (wrong, place) in [
        (asked(60, 60), "/to"),
        (Backfill { max: 0, ..asked(0, 60) }, "/max"),
        (Backfill { max: 10_001, ..asked(0, 60) }, "/max"),
    ] {
        let refused = world.schedules.backfill(&Org::default(), "a", wrong).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(problems) if problems[0].pointer == place));
    }
}

/// A purge cancels what nobody has taken up, and leaves alone what is being recorded.
#[tokio::test]
async fn a_purge_and_an_append_never_both_have_a_fire() {
    let mut world = World::new().await;
    let org = Org::default();
    world.minutely("jittered", json!({ "jitterMs": 50_000 })).await;
    world.minutely("taken", json!({})).await;
    world.hang_the_log();
    world.pass_to(60);
    for name in ["jittered", "taken"] {
        eventually("it is decided", async || {
            world.clock.advance(std::time::Duration::from_millis(1));
            (world.fires(name, Some(FireStatus::Pending)).await.len() == 1).then_some(())
        })
        .await;
    }
    assert_eq!(world.schedules.purge(&org, "jittered").await.unwrap(), Some(1));
    assert_eq!(world.schedules.purge(&org, "taken").await.unwrap(), Some(0));
    assert_eq!(world.schedules.purge(&org, "none").await.unwrap(), None);
    assert_eq!(world.schedules.stats().cancelled, 1);
    let (store, clock) = (world.store.clone(), world.clock.clone());
    world.kill().await;
    let mut next = World::open(store, clock, 2).await;
    next.start();
    next.go_to(115).await;
    assert_eq!(next.fired("taken").await, [60]);
    assert_eq!(next.fired("jittered").await, [] as [i64; 0]);
    assert_eq!(next.seconds("jittered", FireStatus::Cancelled).await, [60]);
}
