//! What is refused: with which answer, and that nothing but a bounded sample stays of it.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use omni_clock::Clock;
use omni_event_log::Config;
use omni_events::Org;
use omni_sources::webhook::Receiver;
use serde_json::json;

use super::world::{World, incoming, json as json_of, open_sources, parts, problem, sign};

#[tokio::test]
async fn unknown_and_disabled_sources_look_the_same() {
    let world = World::new().await;
    world.define(json!({ "name": "off", "enabled": false })).await;
    world.define(json!({ "name": "on" })).await;
    let unknown = world.send("nobody", &[], "1").await;
    problem(&unknown, StatusCode::NOT_FOUND, "OM0101");
    assert_eq!(world.send("off", &[], "1").await, unknown);
    let other = Org::parse("other").unwrap();
    assert_eq!(world.admit(&other, "on").unwrap_err(), unknown);
    assert_eq!(world.send("on", &[], "1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_signature_leaves_a_sample_and_nothing_else() {
    let world = World::new().await;
    world.define_github().await;
    let wrong = sign("another body");
    let long = format!("[\"{}\"]", "x".repeat(10_000));
    let headers = [
        ("X-Hub-Signature-256", wrong.as_str()),
        ("Authorization", "canary-1"),
        ("Cookie", "canary-2"),
        ("X-GitHub-Delivery", "d-1"),
    ];
    let reply = world.send("github", &headers, &long).await;
    problem(&reply, StatusCode::UNAUTHORIZED, "OM0102");
    assert!(world.events().await.is_empty());

    let samples = world.quarantine("github").await;
    assert_eq!(samples.len(), 1);
    let sample = &samples[0];
    assert!(sample.reason.contains("x-hub-signature-256"), "{}", sample.reason);
    assert_eq!(sample.body, long[..4096]);
    assert_eq!(sample.remote.as_deref(), Some("192.0.2.7:4711"));
    let kept = sample.headers.to_string();
    assert!(kept.contains(&wrong) && kept.contains("d-1") && !kept.contains("canary"), "{kept}");

    // The refused delivery took no key: the honest one comes through.
    assert_eq!(world.push("d-1", "[1]").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_proof_that_fails_gets_the_same_answer() {
    let world = World::new().await;
    world.define_github().await;
    world
        .define(
            json!({ "name": "strict", "verifier": "none", "expectedHeaders": { "X-Env": "prod" } }),
        )
        .await;
    let missing = world.send("github", &[], "[]").await;
    problem(&missing, StatusCode::UNAUTHORIZED, "OM0102");
    for value in ["", "sha256=", "sha256=00", "sha1=00", "nonsense"] {
        let reply = world.send("github", &[("X-Hub-Signature-256", value)], "[]").await;
        assert_eq!(reply, missing, "{value}");
    }
    for headers in [&[][..], &[("X-Env", "test")], &[("X-Env", "prod2")]] {
        assert_eq!(world.send("strict", headers, "[]").await, missing, "{headers:?}");
    }
    assert_eq!(world.send("strict", &[("x-env", "prod")], "[]").await.status, StatusCode::OK);

    // Of two headers nobody knows which one a proxy in front has looked at.
    let admitted = world.admit(&Org::default(), "strict").unwrap();
    let mut twice = incoming(&[("x-env", "prod")], "[]");
    twice.headers.append("x-env", "test".parse().unwrap());
    assert_eq!(world.receiver.receive(admitted, twice).await, missing);
}

#[tokio::test]
async fn the_signature_comes_before_the_body_is_read() {
    let world = World::new().await;
    world.define_github().await;
    let reply = world.send("github", &[("X-Hub-Signature-256", "sha256=00")], "not json").await;
    problem(&reply, StatusCode::UNAUTHORIZED, "OM0102");
}

#[tokio::test]
async fn samples_are_bounded_in_time_and_number() {
    let world = World::new().await;
    world.define_github().await;
    let refuse = || async {
        let reply = world.send("github", &[], "[]").await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    };
    for _ in 0..200 {
        refuse().await;
    }
    assert_eq!(world.quarantine("github").await.len(), 100);
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(10));
        for _ in 0..60 {
            refuse().await;
        }
    }
    let samples = world.quarantine("github").await;
    assert_eq!(samples.len(), 100);
    assert_eq!(samples[0].received_at, world.clock.now(), "the newest are kept");
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_not_json_is_told_where() {
    let world = World::new().await;
    world.define_github().await;
    let reply = world.push("d-1", "{\n  \"a\": trux }").await;
    let detail = problem(&reply, StatusCode::BAD_REQUEST, "OM0103");
    assert!(detail.contains("byte 12 (line 2, column 11)"), "{detail}");
    assert_eq!(json_of(&reply)["offset"], 12);
    let deep = format!("{}{}", "[".repeat(129), "]".repeat(129));
    let detail = problem(&world.push("d-3", &deep).await, StatusCode::BAD_REQUEST, "OM0103");
    assert!(detail.contains("128"), "{detail}");

    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let world = World::new().await;
    world.define(json!({ "name": "small", "limits": { "bodyMaxBytes": 10 } })).await;
    let admitted = world.admit(&Org::default(), "small").unwrap();
    assert_eq!(admitted.body_max, 10);
    let reply = world.receiver.receive(admitted, incoming(&[], "[1,2,3,4,5]")).await;
    problem(&reply, StatusCode::PAYLOAD_TOO_LARGE, "OM0104");
    assert_eq!(world.send("small", &[], "[1,2,3,45]").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_source_whose_secret_does_not_open_asks_to_come_again() {
    let world = World::new().await;
    world.define_github().await;
    world.define(json!({ "name": "plain" })).await;
    let sources = open_sources(&world.store, &world.clock, 8).await;
    let receiver = Receiver::new(sources, world.log.clone());
    let reply = receiver.admit(&Org::default(), "github", &HeaderMap::new(), None).unwrap_err();
    problem(&reply, StatusCode::SERVICE_UNAVAILABLE, "OM0108");
    assert!(receiver.admit(&Org::default(), "plain", &HeaderMap::new(), None).is_ok());
}

#[tokio::test]
async fn a_full_log_asks_to_come_again() {
    let world = World::new().await;
    world.define(json!({ "name": "plain" })).await;
    let config = Config { waiting_max: 1, ..Config::default() };
    let parts = omni_event_log::Parts { config, ..parts(&world.store, &world.clock).await };
    // Nobody commits: the first request waits for ever and takes the only place.
    let (log, _appender, _publisher) = omni_event_log::open(parts).await.unwrap();
    let receiver = Receiver::new(world.sources.clone(), log);
    let receive = || {
        let admitted = receiver.admit(&Org::default(), "plain", &HeaderMap::new(), None).unwrap();
        receiver.receive(admitted, incoming(&[], "1"))
    };
    let reply = tokio::select! {
        biased;
        reply = receive() => panic!("answered without a commit: {reply:?}"),
        reply = receive() => reply,
    };
    problem(&reply, StatusCode::SERVICE_UNAVAILABLE, "OM0107");
    assert!(world.quarantine("plain").await.is_empty());
}

#[tokio::test]
async fn a_log_that_stopped_takes_nothing() {
    let mut world = World::new().await;
    world.define(json!({ "name": "plain" })).await;
    world.stop().await;
    let reply = world.send("plain", &[], "1").await;
    problem(&reply, StatusCode::SERVICE_UNAVAILABLE, "OM0108");
    assert!(world.events().await.is_empty() && world.quarantine("plain").await.is_empty());
}
