//! Several registries over one store.

use std::{future::Future, time::Duration};

use futures_util::future::join_all;
use omni_event_bus::Stream;
use omni_events::payload::core_types;
use omni_registry::{Compatibility, Error, Outcome, Registry};
use omni_store::Store;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::world::{kind, loose, new, open, org, postgres, register, routed, with};

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&omni_store::Store::temporary().await).await;
            })+
        }

        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&super::postgres().await).await;
            })+
        }
    };
}

on_both! {
    two_replicas_registering_at_once_lose_nothing,
    of_two_who_break_each_other_one_is_refused,
    two_replicas_registering_the_same_make_one_version,
    one_who_deletes_and_one_who_registers_agree_in_the_end,
    replicas_that_start_at_once_seed_once,
    a_replica_that_follows_knows_all_types,
}

async fn two(store: &Store) -> (Registry, Registry) {
    (open(store).await.0, open(store).await.0)
}

fn pick(number: usize, (one, two): &(Registry, Registry)) -> &Registry {
    if number.is_multiple_of(2) { one } else { two }
}

async fn two_replicas_registering_at_once_lose_nothing(store: &Store) {
    let pair = two(store).await;
    let registering = (0..8).map(|number| {
        let new = loose("custom.a", json!({ "minProperties": number }));
        register(pick(number, &pair), new)
    });
    let done = join_all(registering).await;
    let mut versions: Vec<_> =
        done.into_iter().map(|one| one.unwrap().info).map(|i| (i.version, i.schema)).collect();
    versions.sort_unstable_by_key(|(version, _)| *version);
    let stored = pair.0.versions(&org("acme"), "custom.a", None).await.unwrap();
    let mut stored: Vec<_> = stored.into_iter().map(|one| (one.version, one.schema)).collect();
    stored.reverse();
    assert_eq!(versions, stored, "each was told the number that its own schema has");
    assert_eq!(stored.last().unwrap().0, 8);
}

/// Each would pass over an empty registry; the second must be held against the first.
async fn of_two_who_break_each_other_one_is_refused(store: &Store) {
    let pair = two(store).await;
    let of = |kind: &str| with("custom.a", json!({ "type": kind }));
    let both = join_all([register(&pair.0, of("string")), register(&pair.1, of("object"))]).await;
    assert_eq!(both.iter().filter(|done| done.is_ok()).count(), 1, "{both:?}");
    assert!(both.iter().any(|done| matches!(done, Err(Error::Incompatible { .. }))));
    assert_eq!(pair.0.versions(&org("acme"), "custom.a", None).await.unwrap().len(), 1);
}

async fn two_replicas_registering_the_same_make_one_version(store: &Store) {
    let pair = two(store).await;
    let done = join_all((0..8).map(|number| register(pick(number, &pair), new("custom.a")))).await;
    let done: Vec<_> = done.into_iter().map(Result::unwrap).collect();
    assert!(done.iter().all(|one| one.info.version == 1));
    assert_eq!(done.iter().filter(|one| one.outcome == Outcome::Created).count(), 1);
    assert_eq!(done.iter().filter(|one| one.outcome == Outcome::Unchanged).count(), 7);
}

async fn one_who_deletes_and_one_who_registers_agree_in_the_end(store: &Store) {
    let pair = two(store).await;
    register(&pair.0, loose("custom.a", json!({ "minProperties": 0 }))).await.unwrap();
    let (acme, name) = (org("acme"), kind("custom.a"));
    let deleting = async {
        for _ in 0..4 {
            match pair.0.delete(&acme, &name).await {
                Ok(()) | Err(Error::Unknown { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    let registering = async {
        let mut known = Vec::new();
        for number in 1..8 {
            let new = loose("custom.a", json!({ "minProperties": number }));
            known.push(register(&pair.1, new).await.unwrap().info.version);
        }
        known
    };
    let ((), known) = tokio::join!(deleting, registering);
    assert_eq!(known, (2..9).collect::<Vec<i32>>(), "no number was given twice or left out");
    for registry in [&pair.0, &pair.1] {
        registry.refresh().await.unwrap();
    }
    assert_eq!(pair.0.get(&acme, "custom.a"), pair.1.get(&acme, "custom.a"));
}

async fn replicas_that_start_at_once_seed_once(store: &Store) {
    let opened = join_all((0..4).map(|_| open(store))).await;
    for (registry, _) in &opened {
        let types = registry.types(&org("acme"));
        assert_eq!(types.len(), core_types().len());
        assert!(types.iter().all(|info| info.version == 1), "{types:?}");
    }
}

async fn a_replica_that_follows_knows_all_types(store: &Store) {
    let pair = two(store).await;
    let (follower, _) = open(store).await;
    let registering = join_all((0..24).map(|number| {
        let name = format!("custom.t{number}");
        let pair = &pair;
        async move { register(pick(number, pair), new(&name)).await.unwrap() }
    }));
    let following = async {
        while follower.types_in(&org("acme"), "custom").len() < 24 {
            follower.refresh().await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    let both = async { tokio::join!(registering, following) };
    tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
}

/// Lets ten seconds pass after ten seconds, until something has happened.
async fn as_time_passes<T>(
    clock: &omni_clock::ManualClock,
    happening: impl Future<Output = T>,
) -> T {
    let passing = async {
        loop {
            clock.advance(Duration::from_secs(10));
            tokio::task::yield_now().await;
        }
    };
    let both = async {
        tokio::select! {
            happened = happening => happened,
            () = passing => unreachable!("time ends never"),
        }
    };
    tokio::time::timeout(Duration::from_secs(20), both).await.unwrap()
}

#[tokio::test]
async fn another_replica_hears_of_a_change_by_the_clock() {
    let store = Store::temporary().await;
    let (registry, clock) = open(&store).await;
    let (other, _) = open(&store).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(registry.refresher().run(stop.clone()));
    let mut routes = registry.routes();
    routes.mark_unchanged();
    let mut registering = routed("custom.a", Stream::Media);
    registering.options.compatibility = Some(Compatibility::Backward);
    let info = register(&other, registering).await.unwrap().info;
    assert!(registry.get(&org("acme"), "custom.a").is_none());
    as_time_passes(&clock, routes.changed()).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Media);
    assert_eq!(registry.get(&org("acme"), "custom.a"), Some(info));
    stop.cancel();
    running.await.unwrap();
}
