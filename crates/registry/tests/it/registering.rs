//! New types and new versions.

use omni_registry::{Error, NewType, Outcome, TypeOptions, Validation};
use omni_store::Store;
use serde_json::json;

use crate::world::{check, kind, loose, new, next_version, open, opened, org, register, with};

#[tokio::test]
async fn a_registered_type_is_checked_at_once() {
    let registry = opened().await;
    let registered = register(&registry, new("custom.order.paid")).await.unwrap();
    assert_eq!((registered.outcome, registered.info.version), (Outcome::Created, 1));
    assert_eq!(registered.info.validation, Validation::Enforce);
    assert_eq!(registered.info.created_by.as_deref(), Some("mona"));
    assert!(registered.compared.compatible && registered.compared.against.is_empty());
    assert_eq!(registry.get(&org("acme"), "custom.order.paid"), Some(registered.info));
    assert!(check(&registry, "acme", "custom.order.paid", &json!({})).is_err());
    assert!(check(&registry, "acme", "custom.order.paid", &json!({ "total": 1 })).is_ok());
    assert!(check(&registry, "other", "custom.order.paid", &json!({})).is_ok());
}

#[tokio::test]
async fn the_same_schema_is_the_same_version_however_it_is_written() {
    let registry = opened().await;
    let parse = |text: &str| serde_json::from_str(text).unwrap();
    let one = r#"{"type":"object","properties":{"a":{"minimum":1},"b":{"enum":["é",10]}}}"#;
    let two = r#"{ "properties": {"b": {"enum":["\u00e9", 1e1]}, "a":{"minimum" : 1.0}}, "type":"object" }"#;
    let first = register(&registry, loose("custom.a", parse(one))).await.unwrap();
    let again = register(&registry, with("custom.a", parse(two))).await.unwrap();
    assert_eq!((again.outcome, again.info.version), (Outcome::Unchanged, 1));
    assert_eq!(again.info, first.info);
    let other = parse(&one.replace("10", "10.5"));
    let next = register(&registry, with("custom.a", other)).await.unwrap();
    assert_eq!((next.outcome, next.info.version), (Outcome::NewVersion, 2));
    let back = register(&registry, with("custom.a", parse(one))).await.unwrap();
    assert_eq!(back.info.version, 3, "only the newest counts");
}

#[tokio::test]
async fn what_else_is_said_changes_without_a_version() {
    let registry = opened().await;
    register(&registry, new("custom.a")).await.unwrap();
    let mut said = new("custom.a");
    said.options = TypeOptions { validation: Some(Validation::Warn), ..TypeOptions::default() };
    let configured = register(&registry, said).await.unwrap();
    assert_eq!((configured.outcome, configured.info.version), (Outcome::Configured, 1));
    assert_eq!(configured.info.validation, Validation::Warn);
    assert_eq!(configured.info.description.as_deref(), Some("An order was paid."));
    assert_eq!(registry.get(&org("acme"), "custom.a"), Some(configured.info));
    assert!(check(&registry, "acme", "custom.a", &json!({})).is_ok());
}

#[tokio::test]
async fn every_version_can_be_read_and_says_who_made_it() {
    let registry = opened().await;
    register(&registry, loose("custom.a", json!({ "minProperties": 1 }))).await.unwrap();
    let lea = NewType {
        created_by: Some("lea".into()),
        ..with("custom.a", json!({ "minProperties": 2 }))
    };
    let info = register(&registry, lea).await.unwrap().info;
    assert_eq!(info.created_by.as_deref(), Some("mona"), "the type is still hers");
    let versions = registry.versions(&org("acme"), "custom.a", None).await.unwrap();
    let by: Vec<_> = versions.iter().map(|one| (one.version, one.created_by.as_deref())).collect();
    assert_eq!(by, [(2, Some("lea")), (1, Some("mona"))]);
    let first = registry.version(&org("acme"), "custom.a", 1).await.unwrap();
    assert_eq!(first.as_ref(), versions.last());
    assert_eq!(registry.version(&org("acme"), "custom.a", 3).await.unwrap(), None);
    assert!(registry.versions(&org("other"), "custom.a", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn versions_are_read_a_hundred_at_a_time() {
    let store = Store::temporary().await;
    for n in 0..103 {
        next_version(&store, "custom.a", &json!({ "maximum": n })).await;
    }
    let (registry, _) = open(&store).await;
    let page = async |before| -> Vec<i32> {
        let found = registry.versions(&org("acme"), "custom.a", before).await.unwrap();
        found.iter().map(|one| one.version).collect()
    };
    assert_eq!(page(None).await, (4..=103).rev().collect::<Vec<_>>());
    assert_eq!(page(Some(4)).await, [3, 2, 1]);
    assert_eq!(page(Some(1)).await, [0; 0]);
}

#[tokio::test]
async fn what_registering_would_do_is_told_and_not_done() {
    let registry = opened().await;
    let acme = org("acme");
    let told = async |new: &NewType| registry.outcome(&acme, new).await;
    assert_eq!(told(&new("custom.a")).await.unwrap(), Outcome::Created);
    assert!(registry.get(&acme, "custom.a").is_none());
    register(&registry, new("custom.a")).await.unwrap();
    assert_eq!(told(&new("custom.a")).await.unwrap(), Outcome::Unchanged);
    let mut said = new("custom.a");
    said.options.validation = Some(Validation::Warn);
    assert_eq!(told(&said).await.unwrap(), Outcome::Configured);
    let other = told(&with("custom.a", json!({ "required": ["id"] }))).await;
    assert_eq!(other.unwrap(), Outcome::NewVersion, "though it would be refused");
    assert_eq!(registry.get(&acme, "custom.a").unwrap().version, 1);
    let closed = told(&new("message.received")).await;
    assert!(matches!(closed, Err(Error::Closed { .. })), "{closed:?}");
    let odd = told(&with("custom.a", json!({ "type": "nonsense" }))).await;
    assert!(matches!(odd, Err(Error::Schema { .. })), "{odd:?}");
}

#[tokio::test]
async fn what_is_not_open_or_cannot_be_used_is_refused() {
    let registry = opened().await;
    for closed in ["message.received", "message.made.up", "system.dead_letter"] {
        let refused = register(&registry, new(closed)).await;
        assert!(matches!(refused, Err(Error::Closed { .. })), "{closed}: {refused:?}");
        let compared = registry
            .compare(&org("acme"), &kind(closed), json!(true), &TypeOptions::default())
            .await;
        assert!(matches!(compared, Err(Error::Closed { .. })), "{closed}: {compared:?}");
    }
    for (odd, pointer) in [
        (json!({ "type": "nonsense" }), "/type"),
        (
            json!({ "properties": { "a": { "$ref": "https://example.org/a" } } }),
            "/properties/a/$ref",
        ),
        (json!({ "pattern": "(" }), "/pattern"),
        (json!({ "$ref": "#" }), "/$ref"),
        (json!("text"), ""),
    ] {
        match register(&registry, with("custom.a", odd)).await {
            Err(Error::Schema { reason, .. }) => assert_eq!(reason.pointer, pointer, "{reason}"),
            other => panic!("{pointer}: {other:?}"),
        }
    }
    assert!(registry.get(&org("acme"), "custom.a").is_none());
    assert!(registry.versions(&org("acme"), "custom.a", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_text_that_no_database_keeps_is_refused() {
    let registry = opened().await;
    for description in ["a\0b".to_owned(), "x".repeat(5000)] {
        let mut odd = new("custom.a");
        odd.options.description = Some(description);
        let refused = register(&registry, odd.clone()).await;
        assert!(matches!(refused, Err(Error::Description { .. })), "{refused:?}");
        register(&registry, new("custom.b")).await.unwrap();
        let refused = registry.configure(&org("acme"), &kind("custom.b"), &odd.options).await;
        assert!(matches!(refused, Err(Error::Description { .. })), "{refused:?}");
    }
    assert!(registry.get(&org("acme"), "custom.a").is_none());
}
