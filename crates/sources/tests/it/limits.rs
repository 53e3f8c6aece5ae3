//! Who may send, how often, and with which method.

use std::time::Duration;

use http::{Method, StatusCode};
use omni_events::Org;
use omni_sources::{Definition, webhook::Incoming};
use serde_json::{Value, json};

use super::world::{World, incoming, json as json_of, problem};

fn from(address: &str) -> Incoming {
    Incoming { remote: Some(address.parse().unwrap()), ..incoming(&[], "[1]") }
}

#[tokio::test]
async fn only_addresses_of_the_list_may_send() {
    let world = World::new().await;
    world.define(json!({ "name": "a", "allowedIps": ["192.0.2.0/24", "2001:db8::7"] })).await;
    for good in ["192.0.2.200:1", "[::ffff:192.0.2.200]:1", "[2001:db8::7]:1"] {
        assert_eq!(world.ask("a", from(good)).await.status, StatusCode::OK, "{good}");
    }
    for bad in ["192.0.3.1:1", "[2001:db8::8]:1"] {
        let reply = world.ask("a", from(bad)).await;
        let detail = problem(&reply, StatusCode::FORBIDDEN, "OM0109");
        assert!(!detail.contains("192") && !detail.contains("2001"), "{detail}");
    }
    let nowhere = Incoming { remote: None, ..incoming(&[], "[1]") };
    problem(&world.ask("a", nowhere).await, StatusCode::FORBIDDEN, "OM0109");

    let kept = world.quarantine("a").await;
    assert_eq!(kept.len(), 3, "the owner sees who was turned away, with what was sent");
    assert!(kept.iter().all(|one| one.code == "address-not-allowed" && one.body == "[1]"));
    assert!(kept.iter().any(|one| one.reason.contains("192.0.3.1")), "{kept:?}");
    assert_eq!(world.events().await.len(), 3);
}

#[tokio::test]
async fn behind_a_proxy_of_ours_the_sender_counts() {
    let mut world = World::new().await;
    world.receiver = world.receiver.clone().behind(vec!["10.0.0.0/8".parse().unwrap()]);
    world.define(json!({ "name": "a", "allowedIps": ["192.0.2.0/24"] })).await;
    let send = |peer: &str, forwarded: &str| {
        let headers = [("X-Forwarded-For", forwarded)];
        let remote = Some(peer.parse().unwrap());
        world.ask("a", Incoming { remote, ..incoming(&headers, "[1]") })
    };
    assert_eq!(send("10.0.0.1:1", "192.0.2.7").await.status, StatusCode::OK);
    assert_eq!(send("10.0.0.1:1", "192.0.2.7, 198.51.100.1").await.status, 403, "a lie before it");
    assert_eq!(send("198.51.100.1:1", "192.0.2.7").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_flood_is_slowed_and_told_when_to_come_again() {
    let world = World::new().await;
    let limited = |burst: u32| {
        json!({ "name": "a", "limits": { "requestsPerSecond": 10, "burst": burst },
                "allowedIps": ["192.0.2.0/24"] })
    };
    world.define(limited(5)).await;
    world.define(json!({ "name": "other" })).await;
    // Strangers take nothing of it.
    for _ in 0..50 {
        assert_eq!(world.ask("a", from("198.51.100.1:1")).await.status, StatusCode::FORBIDDEN);
    }
    let taken = || async {
        let mut taken = 0;
        for _ in 0..20 {
            let reply = world.send("a", &[], "[1]").await;
            match reply.status {
                StatusCode::OK => taken += 1,
                _ => drop(problem(&reply, StatusCode::TOO_MANY_REQUESTS, "OM0110")),
            }
        }
        taken
    };
    assert_eq!(taken().await, 5);
    assert_eq!(world.send("other", &[], "1").await.status, StatusCode::OK);
    // A change of the source, or of another, gives no new allowance.
    let update = |document: Value| {
        let definition: Definition = serde_json::from_value(document).unwrap();
        let (name, org) = (definition.name.clone(), Org::default());
        let sources = world.sources.clone();
        async move { sources.update(&org, &name, definition, None).await.unwrap().unwrap() }
    };
    update(json!({ "name": "other", "description": "changed" })).await;
    assert_eq!(taken().await, 0);
    update(limited(6)).await;
    assert_eq!(taken().await, 1, "only what the burst has grown by");
    world.clock.advance(Duration::from_millis(200));
    assert_eq!(taken().await, 2);
}

#[tokio::test]
async fn a_method_that_brings_nothing_is_told_what_does() {
    let world = World::new().await;
    world.define(json!({ "name": "a" })).await;
    world.define(json!({ "name": "box", "handshake": "dropbox" })).await;
    let ask = |source: &'static str, method: Method| {
        world.ask(source, Incoming { method, ..incoming(&[], "") })
    };
    for method in [Method::GET, Method::OPTIONS, Method::HEAD, Method::DELETE] {
        let reply = ask("a", method).await;
        problem(&reply, StatusCode::METHOD_NOT_ALLOWED, "OM0111");
        assert!(reply.headers.iter().any(|(name, value)| name == "allow" && value == "POST, PUT"));
    }
    let reply = ask("box", Method::GET).await;
    assert!(reply.headers.iter().any(|(_, value)| value == "POST, PUT, GET"), "{reply:?}");
    assert_eq!(ask("a", Method::PUT).await.status, StatusCode::OK);
    assert_eq!(ask("nobody", Method::GET).await.status, StatusCode::NOT_FOUND);
    assert_eq!((world.events().await.len(), world.quarantine("a").await.len()), (1, 0));
}

#[tokio::test]
async fn a_source_answers_in_its_own_words() {
    let world = World::new().await;
    for (name, response) in [
        ("xml", json!({ "contentType": "text/xml", "body": "<Response/>" })),
        ("text", json!({ "status": 202, "body": "ok" })),
        ("json", json!({ "body": { "ok": true } })),
        ("none", json!({ "status": 204 })),
    ] {
        world.define(json!({ "name": name, "response": response })).await;
    }
    let ask = |name: &'static str| world.send(name, &[("Idempotency-Key", "k")], "[1]");
    let xml = ask("xml").await;
    assert_eq!((xml.status.as_u16(), &*xml.body), (200, b"<Response/>".as_slice()));
    assert_eq!(xml.headers[0].1, "text/xml");
    let text = ask("text").await;
    assert_eq!((text.status.as_u16(), &*text.body), (202, b"ok".as_slice()));
    assert!(text.headers[0].1.to_str().unwrap().starts_with("text/plain"));
    assert_eq!(json_of(&ask("json").await), json!({ "ok": true }));
    let none = ask("none").await;
    assert_eq!((none.status.as_u16(), none.body.len()), (204, 0));
    // It is still the same event, and refusals are still ours.
    assert!(none.event_id.is_some());
    assert_eq!(ask("none").await.event_id, none.event_id);
    let reused = world.send("none", &[("Idempotency-Key", "k")], "[2]").await;
    problem(&reused, StatusCode::CONFLICT, "OM0105");
}
