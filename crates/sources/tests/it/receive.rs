//! What is taken: stored byte for byte, under the right name, and once.

use http::StatusCode;
use omni_events::{Direction, Org};
use omni_sources::webhook::Reply;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{World, json as json_of, problem, sign};

/// Odd blanks, a number beyond 2^53, names that differ by their case, an escape: all of it must come back as it came.
const ODD: &str =
    "  {\n\t\"n\": 9007199254740993,  \"x\": 1.50, \"X\": 1e2, \"t\": \"\\u00e9é\\/\" }\r\n";

fn event_id(reply: &Reply) -> Uuid {
    let body: Value = json_of(reply);
    assert_eq!(body["acknowledged"], true, "{body}");
    let id = body["eventId"].as_str().unwrap().parse().unwrap();
    assert_eq!(reply.event_id, Some(id));
    id
}

#[tokio::test]
async fn a_verified_push_is_stored_byte_for_byte() {
    let world = World::new().await;
    world.define_github().await;
    let signature = sign(ODD);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "d-1"),
        ("X-Hub-Signature-256", &signature),
        ("Content-Type", "application/json"),
        ("X-Correlation-Id", "c-1"),
        ("traceparent", trace),
        ("Authorization", "canary-9c1e"),
    ];
    let reply = world.send("github", &headers, ODD).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(reply.headers[0].1, "application/json");

    let stored = world.events().await.pop().unwrap().event;
    assert_eq!(stored.id, event_id(&reply));
    assert_eq!(stored.payload.as_str(), ODD);
    assert_eq!(stored.event_type.as_str(), "custom.webhook.github.push");
    assert_eq!(stored.source, "webhook:github");
    let metadata = stored.metadata;
    assert_eq!(metadata.correlation_id, "c-1");
    assert_eq!(metadata.traceparent.as_deref(), Some(trace));
    assert_eq!(metadata.provider.as_deref(), Some("github"));
    assert_eq!(metadata.provider_event_id.as_deref(), Some("d-1"));
    assert_eq!(metadata.idempotency_key.as_deref(), Some("d-1"));
    assert_eq!(metadata.direction, Some(Direction::Inbound));

    let mut conn = world.store.read().await.unwrap();
    let captured = omni_store::payloads::list(&mut conn, "default", stored.id, 1000).await.unwrap();
    assert_eq!(captured.len(), 1);
    assert_eq!(captured[0].head.stage, "webhook_raw");
    assert_eq!(captured[0].head.content_type.as_deref(), Some("application/json"));
    assert_eq!(captured[0].body, omni_store::payloads::Body::Payload);
    assert!(
        captured[0].head.headers.contains(&signature)
            && !captured[0].head.headers.contains("canary")
    );
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_and_stored_once() {
    let world = World::new().await;
    world.define_github().await;
    let body = r#"{"ref":"refs/heads/main"}"#;
    let first = world.push("d-1", body).await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    for _ in 0..3 {
        assert_eq!(world.push("d-1", body).await, first);
    }
    assert_eq!(world.events().await.len(), 1);
    assert!(world.quarantine("github").await.is_empty());

    let other = world.push("d-2", body).await;
    assert_ne!(event_id(&other), event_id(&first));
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn repeats_at_the_same_moment_are_one_event() {
    let world = World::new().await;
    world.define_github().await;
    let pushes = (0..50).map(|_| world.push("d-1", "[1]"));
    let replies = futures_util::future::join_all(pushes).await;
    assert!(replies.iter().all(|reply| *reply == replies[0]), "{replies:?}");
    assert_eq!(replies[0].status, StatusCode::OK, "{replies:?}");
    assert_eq!(world.events().await.len(), 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_a_conflict() {
    let world = World::new().await;
    world.define_github().await;
    let first = world.push("d-1", "[1]").await;
    let second = world.push("d-1", "[2]").await;
    let detail = problem(&second, StatusCode::CONFLICT, "OM0105");
    assert!(detail.contains(&event_id(&first).to_string()), "{detail}");
    assert_eq!(world.events().await.len(), 1);
    assert_eq!(world.quarantine("github").await.len(), 1);
}

#[tokio::test]
async fn keys_of_two_sources_never_meet() {
    let world = World::new().await;
    for name in ["a", "b"] {
        world.define(json!({ "name": name })).await;
    }
    let key = [("Idempotency-Key", "k")];
    let (a, b) = (world.send("a", &key, "[1]").await, world.send("b", &key, "[2]").await);
    assert_ne!(event_id(&a), event_id(&b));
    assert_eq!(world.events().await.len(), 2);
}

#[tokio::test]
async fn equal_bodies_without_a_key_are_two_events_unless_the_source_says_otherwise() {
    let world = World::new().await;
    world.define(json!({ "name": "plain" })).await;
    world.define(json!({ "name": "once", "idempotencyKeys": ["body"] })).await;
    for _ in 0..2 {
        event_id(&world.send("plain", &[], "[1]").await);
        event_id(&world.send("once", &[], "[1]").await);
    }
    let types: Vec<String> =
        world.events().await.into_iter().map(|e| e.event.event_type.to_string()).collect();
    let count = |name: &str| types.iter().filter(|t| *t == name).count();
    assert_eq!((count("custom.webhook.plain"), count("custom.webhook.once")), (2, 1), "{types:?}");
}

#[tokio::test]
async fn an_event_without_a_correlation_id_is_its_own() {
    let world = World::new().await;
    world.define(json!({ "name": "plain" })).await;
    let headers = [("X-Correlation-Id", "no good"), ("traceparent", "garbage")];
    let id = event_id(&world.send("plain", &headers, "1").await);
    let event = world.log.get(&Org::default(), id).await.unwrap().unwrap().event;
    assert_eq!(event.metadata.correlation_id, id.to_string());
    assert_eq!(event.metadata.traceparent, None);
}
