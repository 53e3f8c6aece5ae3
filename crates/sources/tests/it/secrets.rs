//! Secrets: rotated with an overlap, adopted once, opened whoever sealed them, and the lives of sources besides.

use std::time::Duration;

use http::StatusCode;
use omni_crypto::{Sealer, Secret};
use omni_events::Org;
use omni_sources::{Definition, Error, QuarantineQuery, ReleaseRequest, Rotation};
use omni_store::sources;
use serde_json::json;

use super::world::{SECRET, World, open_sources};

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn rotation(text: &str, overlap: u32) -> Rotation {
    Rotation { secret: Some(secret(text)), overlap_seconds: Some(overlap) }
}

#[tokio::test]
async fn the_old_secret_counts_until_the_overlap_ends() {
    let world = World::new().await;
    let org = Org::default();
    world.define_github().await;
    let rotated = world.sources.rotate_secret(&org, "github", &rotation("new", 60)).await;
    let rotated = rotated.unwrap().unwrap();
    assert!(rotated.secret.is_none(), "one that was given is not shown");
    assert_eq!(rotated.source.version, 2);
    let ids: Vec<&str> = rotated.source.secrets.iter().map(|secret| secret.id.as_str()).collect();
    assert_eq!(ids, ["2", "1"]);
    assert_eq!(world.push("d-1", "[]").await.status, StatusCode::OK);
    let used = world.sources.get(&org, "github").await.unwrap().unwrap().secrets;
    assert!(used[1].last_used_at.is_some() && used[0].last_used_at.is_none(), "{used:?}");
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.push("d-2", "[]").await.status, StatusCode::UNAUTHORIZED);

    // In again: what was refused for it is released, and both rotations are one change each.
    world.sources.rotate_secret(&org, "github", &rotation(SECRET, 0)).await.unwrap();
    let query = QuarantineQuery { limit: 9, ..QuarantineQuery::default() };
    let refused = world.sources.quarantine(&org, "github", query).await.unwrap();
    assert_eq!((refused.len(), refused[0].code.as_str()), (1, "signature-mismatch"));
    let release = || async {
        let place = (&org, "github");
        let wanted = ReleaseRequest::default();
        world.sources.release(&world.receiver, place, refused[0].id, &wanted).await
    };
    let released = release().await.unwrap().unwrap();
    assert_eq!(release().await.unwrap().unwrap(), released);
    let events = world.events().await;
    assert_eq!((events.len(), events[1].event.id), (2, released.event_ids[0]));
}

#[tokio::test]
async fn a_request_without_a_key_is_released_once_by_two_at_once() {
    let world = World::new().await;
    let org = Org::default();
    world.define_github().await;
    let signature = super::world::sign("[1]");
    let headers = [("x-hub-signature-256", signature.as_str())];
    world.sources.rotate_secret(&org, "github", &rotation("other", 0)).await.unwrap();
    assert_eq!(world.send("github", &headers, "[1]").await.status, StatusCode::UNAUTHORIZED);
    world.sources.rotate_secret(&org, "github", &rotation(SECRET, 0)).await.unwrap();
    let query = QuarantineQuery { limit: 9, ..QuarantineQuery::default() };
    let refused = world.sources.quarantine(&org, "github", query).await.unwrap();
    let wanted = ReleaseRequest::default();
    let release =
        || world.sources.release(&world.receiver, (&org, "github"), refused[0].id, &wanted);
    let (first, second) = tokio::join!(release(), release());
    assert_eq!(first.unwrap().unwrap().event_ids, second.unwrap().unwrap().event_ids);
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn of_two_replicas_that_adopt_a_secret_one_wins() {
    let world = World::new().await;
    let org = Org::default();
    world.define(json!({ "name": "tasks", "provider": "asana" })).await;
    let other = open_sources(&world.store, &world.clock, 7).await;
    let (first, second) = tokio::join!(
        world.sources.adopt_secret(&org, "tasks", secret("a")),
        other.adopt_secret(&org, "tasks", secret("b"))
    );
    assert_eq!([first.unwrap(), second.unwrap()].iter().filter(|won| **won).count(), 1);
    assert!(!world.sources.adopt_secret(&org, "tasks", secret("c")).await.unwrap());
    assert!(!world.sources.adopt_secret(&org, "nobody", secret("c")).await.unwrap());
    assert_eq!(world.sources.get(&org, "tasks").await.unwrap().unwrap().version, 2);
}

#[tokio::test]
async fn what_an_older_release_has_sealed_still_counts() {
    let mut world = World::new().await;
    let org = Org::default();
    world.define_github().await;
    let sealer = Sealer::new(&Secret::from(vec![7; 32])).unwrap();
    let sealed = sealer.seal(SECRET.as_bytes(), b"source|default|github", [9; 12]);
    let mut conn = world.store.write().await.unwrap();
    let mut row = sources::get(&mut conn, "default", "github").await.unwrap().unwrap();
    row.sealed_secret = Some(sealed);
    assert!(sources::update(&mut conn, &row, 1).await.unwrap());
    drop(conn);
    let reopened = open_sources(&world.store, &world.clock, 7).await;
    let receiver = omni_sources::webhook::Receiver::new(reopened.clone(), world.log.clone());
    (world.sources, world.receiver) = (reopened, receiver);
    assert_eq!(world.push("d-1", "[]").await.status, StatusCode::OK);
    // The next change writes the form of now.
    world.sources.set_enabled(&org, "github", false).await.unwrap();
    world.sources.set_enabled(&org, "github", true).await.unwrap();
    assert_eq!(world.push("d-2", "[]").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_secret_under_a_lost_key_is_replaced_and_stops_no_other_source() {
    let world = World::new().await;
    let org = Org::default();
    world.define_github().await;
    world.define(json!({ "name": "plain" })).await;
    let lost = open_sources(&world.store, &world.clock, 8).await;
    let shown = lost.list(&org, None, 10).await.unwrap();
    assert_eq!(shown.iter().map(|source| source.has_secret).collect::<Vec<_>>(), [true, false]);
    let off = lost.set_enabled(&org, "github", false).await.unwrap_err();
    assert!(matches!(off, Error::Crypto { .. }), "it would be lost for good: {off}");
    let document = json!({ "name": "github", "provider": "github", "secret": SECRET });
    let definition: Definition = serde_json::from_value(document).unwrap();
    let mended = lost.update(&org, "github", definition, None).await.unwrap().unwrap();
    assert_eq!(mended.secrets.len(), 1);
}

#[tokio::test]
async fn rotations_that_cannot_be_are_refused() {
    let world = World::new().await;
    let org = Org::default();
    world.define(json!({ "name": "plain" })).await;
    world.define_github().await;
    let rotate = async |name: &str, rotation: Rotation| match world
        .sources
        .rotate_secret(&org, name, &rotation)
        .await
    {
        Err(Error::Invalid(problems)) => problems[0].pointer.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(rotate("plain", Rotation::default()).await, "/secret");
    assert_eq!(rotate("github", rotation("", 0)).await, "/secret");
    assert_eq!(rotate("github", rotation("s", 2_592_001)).await, "/overlapSeconds");
    for number in 0..4 {
        let wanted = rotation(&format!("secret-{number}"), 1000);
        world.sources.rotate_secret(&org, "github", &wanted).await.unwrap();
    }
    assert_eq!(rotate("github", rotation("sixth", 1000)).await, "/overlapSeconds");
    let nobody = world.sources.rotate_secret(&org, "nobody", &rotation("s", 0)).await;
    assert!(nobody.unwrap().is_none());
    let at_once = Rotation { overlap_seconds: Some(0), ..Rotation::default() };
    let made = world.sources.rotate_secret(&org, "github", &at_once);
    assert_eq!(made.await.unwrap().unwrap().secret.unwrap().len(), 64);
}
