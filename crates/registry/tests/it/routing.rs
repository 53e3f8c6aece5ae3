//! The streams that types go to.

use omni_event_bus::Stream;
use omni_registry::{Error, Outcome, TypeOptions, Validation};
use omni_store::{Store, schemas};

use crate::world::{define, kind, new, open, opened, org, register, routed};

#[tokio::test]
async fn a_type_is_routed_at_once_and_its_old_stream_is_remembered() {
    let registry = opened().await;
    let mut routes = registry.routes();
    assert!(routes.borrow_and_update().by_type.is_empty());
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Custom);
    let info = register(&registry, routed("custom.a", Stream::Media)).await.unwrap().info;
    assert_eq!(info.stream, Some(Stream::Media));
    assert!(routes.has_changed().unwrap());
    let known = routes.borrow_and_update().clone();
    assert_eq!(known.by_type, [("custom.a".to_owned(), Stream::Media)].into());
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Media);
    assert_eq!(registry.stream_of(&kind("custom.b")), Stream::Custom);

    let again = register(&registry, new("custom.a")).await.unwrap();
    assert_eq!((again.outcome, again.info.stream), (Outcome::Unchanged, Some(Stream::Media)));
    assert!(!routes.has_changed().unwrap());
    let home = TypeOptions { stream: Some(Stream::Custom), ..TypeOptions::default() };
    let info = registry.configure(&org("acme"), &kind("custom.a"), &home).await.unwrap();
    assert_eq!((info.version, info.stream), (1, None));
    let known = routes.borrow_and_update().clone();
    assert!(known.by_type.is_empty());
    assert_eq!(known.streams, [Stream::Media], "its events may still wait there");
}

#[tokio::test]
async fn the_stream_of_the_domain_is_no_override() {
    let registry = opened().await;
    let info = register(&registry, routed("custom.a", Stream::Custom)).await.unwrap().info;
    assert_eq!(info.stream, None);
    assert!(registry.routes().borrow().streams.is_empty());
    let system = register(&registry, routed("system.audit", Stream::Access)).await.unwrap();
    assert_eq!(system.info.stream, Some(Stream::Access));
}

#[tokio::test]
async fn organisations_cannot_send_one_type_two_ways() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let (replica, _) = open(&store).await;
    let by = |stream| routed("custom.a", stream);
    registry.register(&org("zeta"), by(Stream::Media)).await.unwrap();
    let taken = |refused| matches!(refused, Err(Error::StreamTaken { stream: Stream::Media, .. }));
    assert!(taken(replica.register(&org("acme"), by(Stream::Identity)).await.map(drop)));
    replica.register(&org("acme"), new("custom.a")).await.unwrap();
    let other = by(Stream::Identity).options;
    let configured = replica.configure(&org("acme"), &kind("custom.a"), &other).await;
    assert!(taken(configured.map(drop)));
    replica.register(&org("beta"), by(Stream::Media)).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Media);
}

/// A type that a release makes one of its own goes where those go, whatever an organisation said of it before.
#[tokio::test]
async fn nobody_sends_what_comes_with_the_product_elsewhere() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let name = "system.dead_letter";
    define(&store, "acme", name, Validation::Off, true.into()).await;
    let row = schemas::get(&mut store.read().await.unwrap(), "acme", name).await.unwrap().unwrap();
    let streams = r#"["MEDIA"]"#.to_owned();
    let row = schemas::TypeRow { stream: Some("MEDIA".into()), streams, ..row };
    let change = schemas::Change { row, schema: None, changed_by: None };
    schemas::put(&mut store.write().await.unwrap(), &change).await.unwrap();
    registry.refresh().await.unwrap();
    let routes = registry.routes().borrow().clone();
    assert!(routes.by_type.is_empty());
    assert_eq!(routes.streams, [Stream::Media], "its events may still wait there");
}
