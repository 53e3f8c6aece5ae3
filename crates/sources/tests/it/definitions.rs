//! Definitions: saved, changed under versions, deleted, and current in memory at once.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use omni_events::Org;
use omni_sources::{Definition, Error, Source};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::world::{SECRET, World, open_sources};

fn definition(document: Value) -> Definition {
    serde_json::from_value(document).unwrap()
}

fn shown(source: &Source) -> String {
    serde_json::to_string(source).unwrap()
}

#[tokio::test]
async fn a_source_is_saved_and_shown_without_its_secret() {
    let world = World::new().await;
    let org = Org::default();
    let github = json!({ "name": "github", "provider": "github", "secret": SECRET });
    let created =
        world.sources.create(&org, definition(github.clone()), Some("ann")).await.unwrap();
    assert_eq!((created.version, created.has_secret), (1, true));
    assert_eq!(created.created_by.as_deref(), Some("ann"));
    let read = world.sources.get(&org, "github").await.unwrap().unwrap();
    assert_eq!(shown(&read), shown(&created));
    let json: Value = serde_json::to_value(&read).unwrap();
    assert_eq!(
        (&json["name"], &json["org"], &json["enabled"]),
        (&json!("github"), &json!("default"), &json!(true))
    );
    assert_eq!(json["createdAt"], "2023-11-14T22:13:20.000Z");
    assert!(!shown(&read).contains("Everybody") && !format!("{read:?}").contains("Everybody"));

    let mut conn = world.store.read().await.unwrap();
    let row = omni_store::sources::get(&mut conn, "default", "github").await.unwrap().unwrap();
    drop(conn);
    assert!(!row.definition.contains("Everybody"));
    let sealed = row.sealed_secret.unwrap();
    assert!(!sealed.windows(9).any(|window| window == b"Everybody"));

    let again = world.sources.create(&org, definition(github), None).await.unwrap_err();
    assert!(matches!(again, Error::Exists(name) if name == "github"));
}

#[tokio::test]
async fn a_bad_definition_is_not_saved() {
    let world = World::new().await;
    let org = Org::default();
    let bad = definition(json!({ "name": "Git Hub", "provider": "github" }));
    let Err(Error::Invalid(problems)) = world.sources.create(&org, bad, None).await else {
        panic!("it was taken");
    };
    let pointers: Vec<&str> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/name", "/secret"]);
    assert!(world.sources.list(&org, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_update_keeps_the_secret_and_counts_versions() {
    let world = World::new().await;
    let org = Org::default();
    world.define_github().await;
    let without =
        || definition(json!({ "name": "github", "provider": "github", "description": "d" }));
    let updated = world.sources.update(&org, "github", without(), Some(1)).await.unwrap().unwrap();
    assert_eq!((updated.version, updated.has_secret), (2, true));
    assert_eq!(world.push("d-1", "[]").await.status, StatusCode::OK);

    let stale = world.sources.update(&org, "github", without(), Some(1)).await.unwrap_err();
    assert!(matches!(stale, Error::Stale { current: 2 }));
    let unconditional = world.sources.update(&org, "github", without(), None).await.unwrap();
    assert_eq!(unconditional.unwrap().version, 3);

    let rotated = definition(json!({ "name": "github", "provider": "github", "secret": "new" }));
    world.sources.update(&org, "github", rotated, None).await.unwrap();
    assert_eq!(world.push("d-2", "[]").await.status, StatusCode::UNAUTHORIZED);

    let renamed = definition(json!({ "name": "other", "verifier": "none" }));
    let refused = world.sources.update(&org, "github", renamed.clone(), None).await.unwrap_err();
    assert!(matches!(refused, Error::Invalid(problems) if problems[0].pointer == "/name"));
    assert!(world.sources.update(&org, "other", renamed, None).await.unwrap().is_none());
}

#[tokio::test]
async fn a_change_counts_from_the_next_request_on() {
    let world = World::new().await;
    let org = Org::default();
    world.define(json!({ "name": "plain" })).await;
    assert_eq!(world.send("plain", &[], "1").await.status, StatusCode::OK);
    let off = definition(json!({ "name": "plain", "enabled": false }));
    world.sources.update(&org, "plain", off, None).await.unwrap();
    assert_eq!(world.send("plain", &[], "1").await.status, StatusCode::NOT_FOUND);
    world.sources.update(&org, "plain", Definition::named("plain"), None).await.unwrap();
    assert_eq!(world.send("plain", &[], "1").await.status, StatusCode::OK);
    assert!(world.sources.delete(&org, "plain").await.unwrap());
    assert!(!world.sources.delete(&org, "plain").await.unwrap());
    assert_eq!(world.send("plain", &[], "1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.events().await.len(), 2, "events outlive their source");
}

#[tokio::test]
async fn another_replica_follows_within_a_second() {
    let world = World::new().await;
    let org = Org::default();
    let other = open_sources(&world.store, &world.clock, 7).await;
    let receiver = omni_sources::webhook::Receiver::new(other.clone(), world.log.clone());
    let stop = CancellationToken::new();
    let running = tokio::spawn(other.refresher().run(stop.clone()));
    world.define_github().await;
    assert!(receiver.admit(&org, "github", &HeaderMap::new(), None).is_err());
    while receiver.admit(&org, "github", &HeaderMap::new(), None).is_err() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    world.sources.delete(&org, "github").await.unwrap();
    while receiver.admit(&org, "github", &HeaderMap::new(), None).is_ok() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn lists_go_by_name_and_tenant() {
    let world = World::new().await;
    let org = Org::default();
    for name in ["b", "a-b", "a_b", "ab", "a"] {
        world.define(json!({ "name": name })).await;
    }
    let other = Org::parse("other").unwrap();
    world.sources.create(&other, Definition::named("theirs"), None).await.unwrap();
    let names = |list: Vec<Source>| -> Vec<String> {
        list.into_iter().map(|source| source.definition.name).collect()
    };
    let first = names(world.sources.list(&org, None, 3).await.unwrap());
    assert_eq!(first, ["a", "a-b", "a_b"]);
    assert_eq!(names(world.sources.list(&org, Some("a_b"), 3).await.unwrap()), ["ab", "b"]);
    assert_eq!(names(world.sources.list(&other, None, 3).await.unwrap()), ["theirs"]);
    assert!(world.sources.get(&other, "a").await.unwrap().is_none());
    assert!(!world.sources.delete(&other, "a").await.unwrap());
}
