//! Greetings over the whole receiver: they are answered, make no event, and do what they ask for.

use http::{Method, StatusCode, Uri};
use omni_events::Org;
use omni_sources::webhook::Incoming;
use serde_json::json;

use super::world::{World, incoming, json as json_of, problem};

fn hmac(header: &str) -> serde_json::Value {
    json!({ "hmacSha256": { "header": header, "encoding": "hex" } })
}

fn tag(secret: &str, body: &str) -> String {
    hex::encode(omni_crypto::hmac_sha256(secret.as_bytes(), &[body.as_bytes()]))
}

#[tokio::test]
async fn a_greeting_is_answered_and_makes_no_event() {
    let world = World::new().await;
    world
        .define(json!({ "name": "slack", "handshake": "slack", "secret": "s", "verifier": hmac("X-Sig") }))
        .await;
    let body = r#"{"type":"url_verification","challenge":"<b>3eZ</b>"}"#;
    let signature = tag("s", body);
    let reply = world.send("slack", &[("X-Sig", &signature)], body).await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, b"<b>3eZ</b>".as_slice()));
    assert!(reply.headers[0].1.to_str().unwrap().starts_with("text/plain"));
    assert_eq!(reply.headers[1].1, "nosniff");
    assert_eq!(reply.event_id, None);
    let wrong = world.send("slack", &[("X-Sig", "00")], body).await;
    problem(&wrong, StatusCode::UNAUTHORIZED, "OM0102");
    assert!(world.events().await.is_empty());
    let kept = world.quarantine("slack").await;
    assert_eq!(kept.len(), 1);
    assert!(kept[0].code.starts_with("signature-"), "{:?}", kept[0]);
}

#[tokio::test]
async fn a_wrong_token_of_meta_is_refused_and_shown_to_the_owner() {
    let world = World::new().await;
    world
        .define(json!({ "name": "meta", "handshake": "meta", "verifier": "none", "secondSecret": "canary" }))
        .await;
    let get = |token: &str| {
        let query = format!("?hub.mode=subscribe&hub.challenge=42&hub.verify_token={token}");
        let uri: Uri = format!("/webhooks/meta{query}").parse().unwrap();
        world.ask("meta", Incoming { uri, method: Method::GET, ..incoming(&[], "") })
    };
    let reply = get("canary").await;
    assert_eq!((reply.status, &*reply.body), (StatusCode::OK, b"42".as_slice()));
    let reply = get("guess").await;
    let detail = problem(&reply, StatusCode::FORBIDDEN, "OM0112");
    assert!(!detail.contains("canary"), "{detail}");
    assert_eq!(world.quarantine("meta").await[0].code, "token-mismatch");
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_first_secret_that_asana_tells_becomes_the_one_of_the_source() {
    let world = World::new().await;
    world
        .define(
            json!({ "name": "asana", "handshake": "asana", "verifier": hmac("X-Hook-Signature") }),
        )
        .await;
    let greet = |secret: &str| world.ask("asana", incoming(&[("X-Hook-Secret", secret)], ""));
    let reply = greet("b537207f").await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(reply.headers.iter().any(|(n, v)| n == "x-hook-secret" && v == "b537207f"));
    assert!(world.sources.get(&Org::default(), "asana").await.unwrap().unwrap().has_secret);
    // The answer was lost: it is asked again. Another one is too late.
    assert_eq!(greet("b537207f").await, reply);
    problem(&greet("other").await, StatusCode::UNAUTHORIZED, "OM0102");
    assert_eq!(world.quarantine("asana").await[0].code, "secret-taken");

    let body = r#"{"events":[]}"#;
    let genuine = tag("b537207f", body);
    let taken = world.send("asana", &[("X-Hook-Signature", &genuine)], body).await;
    assert_eq!(taken.status, StatusCode::OK, "{taken:?}");
    let forged = tag("other", body);
    let refused = world.send("asana", &[("X-Hook-Signature", &forged)], body).await;
    problem(&refused, StatusCode::UNAUTHORIZED, "OM0102");
}

#[tokio::test]
async fn of_two_that_greet_at_once_one_wins() {
    let world = World::new().await;
    world
        .define(
            json!({ "name": "asana", "handshake": "asana", "verifier": hmac("X-Hook-Signature") }),
        )
        .await;
    let secrets: Vec<String> = (0..8).map(|n| format!("secret-{n}")).collect();
    let greetings = secrets.iter().map(|secret| {
        let headers = [("X-Hook-Secret", secret.as_str())];
        let request = incoming(&headers, "");
        world.ask("asana", request)
    });
    let replies = futures_util::future::join_all(greetings).await;
    let won = replies.iter().filter(|reply| reply.status == StatusCode::OK).count();
    assert_eq!(won, 1, "{replies:?}");
}

#[tokio::test]
async fn a_subscription_that_cannot_be_confirmed_is_kept() {
    let world = World::new().await;
    world.define(json!({ "name": "sns", "handshake": "sns", "verifier": "none" })).await;
    // The default way out opens no port of a closed range, so no message leaves this test.
    let url = "https://sns.eu-west-1.amazonaws.com.invalid/?Action=ConfirmSubscription";
    let body = json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": url }).to_string();
    let reply = world.send("sns", &[("Content-Type", "text/plain")], &body).await;
    problem(&reply, StatusCode::BAD_REQUEST, "OM0114");
    assert_eq!(world.quarantine("sns").await.len(), 1);
    assert!(world.events().await.is_empty());
}

#[tokio::test]
async fn the_pong_of_discord_is_json() {
    let world = World::new().await;
    world.define(json!({ "name": "discord", "handshake": "discord", "verifier": "none" })).await;
    let reply = world.send("discord", &[], r#"{"type":1,"id":"1"}"#).await;
    assert_eq!(json_of(&reply), json!({ "type": 1 }));
    assert!(world.events().await.is_empty());
}
