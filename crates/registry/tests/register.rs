//! Registering types at run time, and the streams they go to.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{sync::Arc, time::Duration};

use omni_clock::{Clock as _, ManualClock};
use omni_event_bus::Stream;
use omni_events::{EventType, Org, Payload};
use omni_registry::{Error, NewType, Registry, Validation};
use omni_store::{Store, schemas};
use serde_json::json;
use tokio_util::sync::CancellationToken;

async fn open(store: &Store) -> (Registry, ManualClock) {
    let clock = ManualClock::at_unix(1_700_000_000);
    (Registry::open(store.clone(), Arc::new(clock.clone())).await.unwrap(), clock)
}

fn org(name: &str) -> Org {
    Org::parse(name).unwrap()
}

fn kind(name: &str) -> EventType {
    EventType::parse(name).unwrap()
}

fn new(name: &str, stream: Option<Stream>) -> NewType {
    NewType {
        event_type: kind(name),
        description: Some("An order was paid.".into()),
        schema: json!({ "required": ["total"] }),
        validation: Validation::Enforce,
        stream,
        created_by: Some("mona".into()),
    }
}

#[tokio::test]
async fn a_registered_type_is_checked_at_once_and_routed() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let mut routes = registry.routes();
    assert!(routes.borrow_and_update().by_type.is_empty());
    assert_eq!(registry.stream_of(&kind("custom.order.paid")), Stream::Custom);

    let info = registry
        .register(&org("acme"), new("custom.order.paid", Some(Stream::Identity)))
        .await
        .unwrap();
    assert_eq!((info.version, info.stream), (1, Some(Stream::Identity)));
    assert_eq!(registry.get(&org("acme"), "custom.order.paid"), Some(info));
    let empty = Payload::from_value(&json!({}));
    assert!(registry.check(&org("acme"), &kind("custom.order.paid"), &empty).is_err());
    assert!(registry.check(&org("other"), &kind("custom.order.paid"), &empty).is_ok());

    assert!(routes.has_changed().unwrap());
    let known = routes.borrow_and_update().clone();
    assert_eq!(known.by_type, [("custom.order.paid".to_owned(), Stream::Identity)].into());
    assert_eq!(registry.stream_of(&kind("custom.order.paid")), Stream::Identity);
    assert_eq!(registry.stream_of(&kind("custom.order")), Stream::Custom);
    assert_eq!(registry.stream_of(&kind("system.dead_letter")), Stream::System);

    let row = schemas::newest(&mut store.read().await.unwrap(), "acme", "custom.order.paid").await;
    let row = row.unwrap().unwrap();
    assert_eq!(
        (row.stream.as_deref(), row.created_by.as_deref()),
        (Some("IDENTITY"), Some("mona"))
    );
}

#[tokio::test]
async fn the_same_again_is_no_new_version_and_no_change_of_routes() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let routed = || new("custom.a", Some(Stream::Media));
    assert_eq!(registry.register(&org("acme"), routed()).await.unwrap().version, 1);
    let mut routes = registry.routes();
    routes.mark_unchanged();
    assert_eq!(registry.register(&org("acme"), routed()).await.unwrap().version, 1);
    assert!(!routes.has_changed().unwrap());

    assert_eq!(registry.register(&org("acme"), new("custom.a", None)).await.unwrap().version, 2);
    assert!(routes.has_changed().unwrap());
    let known = routes.borrow_and_update().clone();
    assert!(known.by_type.is_empty());
    assert_eq!(known.streams, [Stream::Media], "its events may still wait there");
}

#[tokio::test]
async fn the_stream_of_the_domain_is_no_override() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let info = registry.register(&org("acme"), new("custom.a", Some(Stream::Custom))).await;
    assert_eq!(info.unwrap().stream, None);
    assert!(registry.routes().borrow().streams.is_empty());
    let system = new("system.audit", Some(Stream::Access));
    assert_eq!(registry.register(&org("acme"), system).await.unwrap().stream, Some(Stream::Access));
}

#[tokio::test]
async fn what_is_not_open_or_does_not_compile_is_refused() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    for closed in ["message.received", "message.made.up", "system.dead_letter"] {
        let refused = registry.register(&org("acme"), new(closed, None)).await;
        assert!(matches!(refused, Err(Error::Closed { .. })), "{closed}: {refused:?}");
    }
    let odd = NewType { schema: json!({ "type": "nonsense" }), ..new("custom.a", None) };
    let refused = registry.register(&org("acme"), odd).await;
    assert!(matches!(refused, Err(Error::Schema { .. })), "{refused:?}");
    assert!(registry.get(&org("acme"), "custom.a").is_none());
}

#[tokio::test]
async fn organisations_cannot_send_one_type_two_ways() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let (replica, _) = open(&store).await;
    let by = |stream| new("custom.a", Some(stream));
    registry.register(&org("zeta"), by(Stream::Media)).await.unwrap();
    let refused = replica.register(&org("acme"), by(Stream::Identity)).await;
    assert!(
        matches!(refused, Err(Error::StreamTaken { stream: Stream::Media, .. })),
        "{refused:?}"
    );
    replica.register(&org("acme"), new("custom.a", None)).await.unwrap();
    replica.register(&org("beta"), by(Stream::Media)).await.unwrap();
    registry.register(&org("zeta"), new("custom.a", None)).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Media);
}

#[tokio::test]
async fn two_replicas_registering_at_once_lose_nothing() {
    let store = Store::temporary().await;
    let (one, _) = open(&store).await;
    let (two, _) = open(&store).await;
    let of = |number: u32| NewType {
        schema: json!({ "minProperties": number }),
        ..new("custom.a", None)
    };
    let registering = (0..8).map(|number| {
        let registry = if number % 2 == 0 { one.clone() } else { two.clone() };
        let new = of(number);
        async move { registry.register(&Org::default(), new).await.unwrap().version }
    });
    let mut versions = futures_util::future::join_all(registering).await;
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<i32>>());
}

#[tokio::test]
async fn another_replica_hears_of_a_changed_route_within_ten_seconds() {
    let store = Store::temporary().await;
    let (registry, clock) = open(&store).await;
    let (other, _) = open(&store).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(registry.refresher().run(stop.clone()));
    let mut routes = registry.routes();
    routes.mark_unchanged();
    other.register(&org("acme"), new("custom.a", Some(Stream::Media))).await.unwrap();
    let changed = async {
        loop {
            tokio::select! {
                changed = routes.changed() => return changed.unwrap(),
                () = tokio::task::yield_now() => clock.advance(Duration::from_secs(10)),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Media);
    assert!(clock.now() > ManualClock::at_unix(1_700_000_000).now());
    stop.cancel();
    running.await.unwrap();
}
