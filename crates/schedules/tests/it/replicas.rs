//! Several processes over one store that die at any moment: each instant fires once.

use std::{collections::BTreeMap, time::Duration};

use omni_clock::{Clock as _, ManualClock, Random, SystemClock};
use omni_events::Org;
use omni_schedules::Definition;
use omni_store::Store;
use serde_json::json;

use crate::world::{START, World, postgres};

const SCHEDULES: i64 = 120;
const SECONDS: i64 = 60;

/// Interval and phase of a schedule, in seconds.
fn interval(number: i64) -> (i64, i64) {
    (3 + number % 5, number % 3)
}

/// The seconds after the start at which it has to fire.
fn expected(number: i64) -> Vec<i64> {
    let (interval, phase) = interval(number);
    (1..=SECONDS).filter(|second| (START + second - phase) % interval == 0).collect()
}

async fn define(world: &World) {
    for number in 0..SCHEDULES {
        let (interval, phase) = interval(number);
        let definition = json!({
            "name": format!("s{number}"),
            "kind": "interval",
            "intervalMs": interval * 1_000,
            "phaseMs": phase * 1_000,
            "catchup": "all",
        });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        world.schedules.create(&Org::default(), definition, None).await.unwrap();
    }
}

async fn each_instant_fires_once(store: Store, replicas: usize, seed: u64) {
    let random = Random::seeded(seed);
    let clock = ManualClock::at_unix(START);
    let mut seeds = 0;
    let mut process = async || {
        seeds += 1;
        let mut world = World::open(store.clone(), clock.clone(), seed * 1_000 + seeds).await;
        world.start();
        world
    };
    let mut worlds = Vec::new();
    for _ in 0..replicas {
        worlds.push(process().await);
    }
    define(&worlds[0]).await;
    // Ten looks a second, so that the processes are killed in the middle of all kinds of things.
    for _ in 0..SECONDS * 10 {
        clock.advance(Duration::from_millis(100));
        if random.fraction() < 0.1 {
            let place = usize::try_from(random.next_u64() % replicas as u64).unwrap();
            for _ in 0..random.next_u64() % 50 {
                tokio::task::yield_now().await;
            }
            worlds.swap_remove(place).kill().await;
            worlds.push(process().await);
        }
        SystemClock::new().sleep(Duration::from_millis(random.next_u64() % 4)).await;
    }
    // What the last ones left behind is taken up when their leases are over, on a clock that stands at the end.
    let world = &worlds[0];
    let org = Org::default();
    for number in 0..SCHEDULES {
        world.schedules.set_enabled(&org, &format!("s{number}"), false).await.unwrap();
    }
    world.go_to(SECONDS + 15).await;
    for number in 0..SCHEDULES {
        world.schedules.set_enabled(&org, &format!("s{number}"), true).await.unwrap();
    }
    world.go_to(SECONDS + 30).await;

    let mut fired: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    let mut page = omni_store::events::Page { after: None, limit: 1_000, ascending: true };
    loop {
        let found = world.log.list(&org, &omni_store::events::Filter::default(), &page).await;
        let found = found.unwrap();
        let Some(last) = found.last() else { break };
        page.after = Some(omni_store::events::Place {
            received_at: last.event.received_at,
            sequence: last.sequence,
        });
        for stored in found {
            let second = stored.event.time.timestamp() - START;
            if second <= SECONDS {
                fired.entry(stored.event.source).or_default().push(second);
            }
        }
    }
    for number in 0..SCHEDULES {
        let mut fired = fired.remove(&format!("schedule:s{number}")).unwrap_or_default();
        fired.sort_unstable();
        assert_eq!(fired, expected(number), "s{number}, seed {seed}");
    }
    for world in worlds {
        world.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_that_die_at_random_fire_each_instant_once() {
    each_instant_fires_once(postgres().await, 3, 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_that_dies_at_random_fires_each_instant_once() {
    each_instant_fires_once(Store::temporary().await, 1, 7).await;
}
