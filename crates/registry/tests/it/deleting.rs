//! Deleting a type, for a while and for good.

use omni_event_bus::Stream;
use omni_registry::{Compatibility, Error, Outcome, TypeOptions, Validation};
use omni_store::Store;
use serde_json::json;

use crate::world::{check, kind, loose, new, open, opened, org, register, routed, with};

#[tokio::test]
async fn a_deleted_type_can_be_read_and_comes_back_with_the_next_number() {
    let registry = opened().await;
    let (acme, name) = (org("acme"), kind("custom.a"));
    register(&registry, loose("custom.a", json!({ "minProperties": 1 }))).await.unwrap();
    register(&registry, with("custom.a", json!({ "minProperties": 2 }))).await.unwrap();
    registry.delete(&acme, &name).await.unwrap();
    assert!(registry.get(&acme, "custom.a").is_none());
    assert!(registry.types_in(&acme, "custom.a").is_empty());
    assert_eq!(registry.versions(&acme, "custom.a", None).await.unwrap().len(), 2);
    let again = registry.delete(&acme, &name).await;
    assert!(matches!(again, Err(Error::Unknown { .. })), "{again:?}");

    // Not compatible with what it was, which nothing relies on any more.
    let back = register(&registry, with("custom.a", json!({ "maxProperties": 0 }))).await.unwrap();
    assert_eq!((back.outcome, back.info.version), (Outcome::Created, 3));
    assert!(back.compared.against.is_empty());
    assert_eq!(registry.versions(&acme, "custom.a", None).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_type_that_comes_back_takes_over_nothing_that_was_said_of_it() {
    let registry = opened().await;
    let mut first = routed("custom.a", Stream::Media);
    first.options.validation = Some(Validation::Off);
    first.options.compatibility = Some(Compatibility::None);
    register(&registry, first).await.unwrap();
    registry.delete(&org("acme"), &kind("custom.a")).await.unwrap();
    let mut second = with("custom.a", json!({ "required": ["total"] }));
    second.created_by = Some("lea".into());
    let info = register(&registry, second).await.unwrap().info;
    assert_eq!((info.version, info.validation), (2, Validation::Enforce));
    assert_eq!((info.description, info.compatibility, info.stream), (None, None, None));
    assert_eq!(info.created_by.as_deref(), Some("lea"));
    assert!(check(&registry, "acme", "custom.a", &json!({})).is_err());
}

#[tokio::test]
async fn purged_versions_are_gone_and_numbers_go_on() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    let (acme, name) = (org("acme"), kind("custom.a"));
    let unknown = registry.purge(&acme, &name).await;
    assert!(matches!(unknown, Err(Error::Unknown { .. })), "{unknown:?}");
    register(&registry, new("custom.a")).await.unwrap();
    let live = registry.purge(&acme, &name).await;
    assert!(matches!(live, Err(Error::NotDeleted { .. })), "{live:?}");
    registry.delete(&acme, &name).await.unwrap();
    registry.purge(&acme, &name).await.unwrap();
    registry.purge(&acme, &name).await.unwrap();
    assert!(registry.versions(&acme, "custom.a", None).await.unwrap().is_empty());
    let (replica, _) = open(&store).await;
    assert!(replica.get(&acme, "custom.a").is_none());

    let back = register(&registry, new("custom.a")).await.unwrap();
    assert_eq!((back.outcome, back.info.version), (Outcome::Created, 2));
    let versions = registry.versions(&acme, "custom.a", None).await.unwrap();
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn a_type_with_a_stream_of_its_own_leaves_its_stream_to_what_waits_there() {
    let registry = opened().await;
    register(&registry, routed("custom.a", Stream::Media)).await.unwrap();
    registry.delete(&org("acme"), &kind("custom.a")).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Custom);
    let routes = registry.routes().borrow().clone();
    assert!(routes.by_type.is_empty());
    assert_eq!(routes.streams, [Stream::Media]);
    let other = routed("custom.a", Stream::Identity);
    registry.register(&org("beta"), other).await.unwrap();
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Identity);

    registry.purge(&org("acme"), &kind("custom.a")).await.unwrap();
    let streams = registry.routes().borrow().streams.clone();
    assert!(streams.contains(&Stream::Media) && streams.contains(&Stream::Identity));
}

#[tokio::test]
async fn what_comes_with_the_product_cannot_be_deleted() {
    let registry = opened().await;
    for name in ["message.received", "system.dead_letter"] {
        let refused = registry.delete(&org("acme"), &kind(name)).await;
        assert!(matches!(refused, Err(Error::Closed { .. })), "{name}: {refused:?}");
        let purged = registry.purge(&org("acme"), &kind(name)).await;
        assert!(matches!(purged, Err(Error::Unknown { .. })), "{name}: {purged:?}");
    }
    let options = TypeOptions::default();
    let refused = registry.configure(&org("acme"), &kind("message.received"), &options).await;
    assert!(matches!(refused, Err(Error::Closed { .. })), "{refused:?}");
}
