//! What happens at an instant while the work on the fire before goes on.

use omni_schedules::FireStatus;
use omni_store::{Store, schedules as store};
use serde_json::json;

use crate::world::{World, postgres};

const NONE: [i64; 0] = [];

async fn each_policy_does_what_it_says(store: Store) {
    let world = World::on(store).await;
    for policy in ["allowAll", "skip", "bufferOne", "bufferAll", "cancelOther"] {
        world.minutely(&policy.to_lowercase(), json!({ "overlap": policy })).await;
    }
    for minute in 1..=4 {
        world.go_to(minute * 60).await;
    }
    assert_eq!(world.fired("allowall").await, [60, 120, 180, 240]);
    assert_eq!(world.fired("cancelother").await, [60, 120, 180, 240]);
    for waits in ["skip", "bufferone", "bufferall"] {
        assert_eq!(world.fired(waits).await, [60], "{waits}");
    }
    assert_eq!(world.seconds("skip", FireStatus::Skipped).await, [120, 180, 240]);
    assert_eq!(world.seconds("bufferone", FireStatus::Pending).await, [120]);
    assert_eq!(world.seconds("bufferone", FireStatus::Skipped).await, [180, 240]);
    assert_eq!(world.seconds("bufferall", FireStatus::Pending).await, [120, 180, 240]);
    let cancelled: Vec<bool> =
        world.fires("cancelother", None).await.iter().map(|fire| fire.work_cancelled).collect();
    assert_eq!(cancelled, [false, true, true, true], "all but the newest");
    let fires = world.fires("cancelother", None).await;
    let mut conn = world.store.read().await.unwrap();
    assert!(store::is_work_cancelled(&mut conn, fires[1].event_id).await.unwrap());
    assert!(!store::is_work_cancelled(&mut conn, fires[0].event_id).await.unwrap());
    drop(conn);

    for waits in ["skip", "bufferone", "bufferall"] {
        world.work_is_done(waits, 60).await;
    }
    world.go_to(250).await;
    world.waits_until_fired("bufferone", &[60, 120]).await;
    world.waits_until_fired("bufferall", &[60, 120]).await;
    assert_eq!(world.fired("skip").await, [60], "what was skipped stays so");
    world.go_to(300).await;
    assert_eq!(world.fired("skip").await, [60, 300]);
    assert_eq!(world.seconds("bufferone", FireStatus::Pending).await, [300]);
    world.work_is_done("bufferall", 120).await;
    world.waits_until_fired("bufferall", &[60, 120, 180]).await;
    world.work_is_done("bufferall", 180).await;
    world.waits_until_fired("bufferall", &[60, 120, 180, 240]).await;
    assert_eq!(world.seconds("bufferall", FireStatus::Pending).await, [300]);
    assert_eq!(world.get("skip").await.skipped, 3);
}

impl World {
    async fn waits_until_fired(&self, name: &str, expected: &[i64]) {
        crate::world::eventually("a fire that waits goes", async || {
            self.settle().await;
            (self.fired(name).await == expected).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn each_overlap_policy_does_what_it_says_on_sqlite() {
    each_policy_does_what_it_says(Store::temporary().await).await;
}

#[tokio::test]
async fn each_overlap_policy_does_what_it_says_on_postgres() {
    each_policy_does_what_it_says(postgres().await).await;
}

#[tokio::test]
async fn fires_wait_in_a_bounded_number_and_can_be_purged() {
    let mut world = World::new().await;
    world.minutely("many", json!({ "overlap": "bufferAll", "catchup": "all" })).await;
    world.stop().await;
    world.pass_to(60 * 150);
    world.start();
    world.settle().await;
    assert_eq!(world.fired("many").await, [60]);
    assert_eq!(world.seconds("many", FireStatus::Waiting).await.len(), 100);
    assert_eq!(world.seconds("many", FireStatus::Skipped).await.len(), 49);
    let org = omni_events::Org::default();
    assert_eq!(world.schedules.purge(&org, "many").await.unwrap(), Some(100));
    assert_eq!(world.schedules.purge(&org, "many").await.unwrap(), Some(0));
    assert_eq!(world.seconds("many", FireStatus::Waiting).await, NONE);
    world.work_is_done("many", 60).await;
    world.go_to(60 * 151).await;
    assert_eq!(world.fired("many").await, [60, 60 * 151], "it goes on after them");
}

#[tokio::test]
async fn what_waits_does_so_while_the_schedule_is_disabled() {
    let world = World::new().await;
    let org = omni_events::Org::default();
    world.minutely("held", json!({ "overlap": "bufferOne", "catchup": "none" })).await;
    world.go_to(60).await;
    world.go_to(120).await;
    world.schedules.set_enabled(&org, "held", false).await.unwrap();
    world.work_is_done("held", 60).await;
    world.go_to(200).await;
    assert_eq!(world.fired("held").await, [60]);
    world.schedules.set_enabled(&org, "held", true).await.unwrap();
    world.waits_until_fired("held", &[60, 120]).await;
}
