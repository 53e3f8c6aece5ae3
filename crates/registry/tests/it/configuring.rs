//! What is said of a type besides its schema.

use std::time::Duration;

use omni_clock::Clock as _;
use omni_event_bus::Stream;
use omni_registry::{Compatibility, Error, Policy, Said, TypeOptions, Validation};
use omni_store::{Store, schemas};

use crate::world::{kind, new, open, opened, org, register};

fn options() -> TypeOptions {
    TypeOptions {
        description: Some("Said anew.".into()),
        validation: Some(Validation::Off),
        compatibility: Some(Compatibility::Backward),
        policy: Some(Policy::Exact),
        stream: None,
        reset: Vec::new(),
    }
}

#[tokio::test]
async fn what_is_said_is_changed_and_the_rest_stays() {
    let store = Store::temporary().await;
    let (registry, clock) = open(&store).await;
    let first = register(&registry, new("custom.a")).await.unwrap().info;
    clock.advance(Duration::from_secs(5));
    let info = registry.configure(&org("acme"), &kind("custom.a"), &options()).await.unwrap();
    assert_eq!((info.version, &info.schema), (1, &first.schema));
    assert_eq!(info.description.as_deref(), Some("Said anew."));
    assert_eq!((info.validation, info.policy), (Validation::Off, Some(Policy::Exact)));
    assert_eq!(info.compatibility, Some(Compatibility::Backward));
    assert_eq!((info.created_at, info.updated_at), (first.created_at, clock.now()));

    let before = schemas::revision(&mut store.read().await.unwrap()).await.unwrap();
    clock.advance(Duration::from_secs(5));
    let again = registry.configure(&org("acme"), &kind("custom.a"), &options()).await.unwrap();
    assert_eq!(again, info, "nothing is different");
    assert_eq!(schemas::revision(&mut store.read().await.unwrap()).await.unwrap(), before);
    let (replica, _) = open(&store).await;
    assert_eq!(replica.get(&org("acme"), "custom.a"), Some(info));
}

#[tokio::test]
async fn what_was_said_is_taken_back() {
    let registry = opened().await;
    let mut first = new("custom.a");
    first.options = TypeOptions { stream: Some(Stream::Media), ..options() };
    register(&registry, first.clone()).await.unwrap();
    let all = vec![Said::Description, Said::Compatibility, Said::Policy, Said::Stream];
    let back = TypeOptions { reset: all, ..TypeOptions::default() };
    let info = registry.configure(&org("acme"), &kind("custom.a"), &back).await.unwrap();
    assert_eq!((info.description, info.compatibility, info.policy), (None, None, None));
    assert_eq!((info.stream, info.validation), (None, Validation::Off));
    assert_eq!(registry.stream_of(&kind("custom.a")), Stream::Custom);

    // It is compared as it will be.
    register(&registry, first).await.unwrap();
    let held =
        registry.compare(&org("acme"), &kind("custom.a"), serde_json::json!(true), &back).await;
    let held = held.unwrap();
    assert_eq!((held.compatibility, held.policy), (Compatibility::Full, Policy::Lenient));
}

#[tokio::test]
async fn what_is_not_there_or_not_ones_own_cannot_be_configured() {
    let registry = opened().await;
    register(&registry, new("custom.a")).await.unwrap();
    for (owner, name) in [("acme", "custom.b"), ("other", "custom.a")] {
        let refused = registry.configure(&org(owner), &kind(name), &options()).await;
        assert!(matches!(refused, Err(Error::Unknown { .. })), "{owner} {name}: {refused:?}");
    }
    for name in ["message.received", "system.dead_letter"] {
        let refused = registry.configure(&org("acme"), &kind(name), &options()).await;
        assert!(matches!(refused, Err(Error::Closed { .. })), "{name}: {refused:?}");
    }
}
