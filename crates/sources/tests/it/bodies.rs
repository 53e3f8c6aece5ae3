//! Bodies of all kinds, from the request to the stored event.

use http::{Method, StatusCode, Uri};
use omni_events::Org;
use omni_sources::webhook::{Incoming, Reply};
use omni_store::{events::StoredEvent, payloads::Body};
use serde_json::{Value, json};

use super::world::{SECRET, World, incoming, json as json_of, problem, sign};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const BATCH: (&str, &str) = ("Content-Type", "application/cloudevents-batch+json");

async fn only(world: &World, reply: &Reply) -> StoredEvent {
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    world.log.get(&Org::default(), reply.event_id.unwrap()).await.unwrap().unwrap()
}

/// What was kept of the request beside an event.
async fn kept(world: &World, event: &StoredEvent) -> Body {
    let mut conn = world.store.read().await.unwrap();
    let rows = omni_store::payloads::list(&mut conn, "default", event.event.id, 1 << 20);
    let mut rows = rows.await.unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0).body
}

#[tokio::test]
async fn the_form_of_github_is_verified_as_sent_and_stored_as_its_json() {
    let world = World::new().await;
    world.define_github().await;
    let form = "payload=%7B%22ref%22%3A%22main%22%7D";
    let signature = sign(form);
    let headers = [
        FORM,
        ("X-Hub-Signature-256", &signature),
        ("X-GitHub-Event", "push"),
        ("X-GitHub-Delivery", "d-1"),
    ];
    let stored = only(&world, &world.send("github", &headers, form).await).await;
    assert_eq!(stored.event.payload.as_str(), r#"{"ref":"main"}"#);
    assert_eq!(stored.event.event_type.as_str(), "custom.webhook.github.push");
    // What was signed is kept, too: the payload is not it.
    let raw = kept(&world, &stored).await;
    assert!(matches!(&raw, Body::Bytes(bytes) if bytes == form.as_bytes()), "{raw:?}");
    // The JSON inside is not what was signed.
    let inside = r#"{"ref":"main"}"#;
    let reply = world.send("github", &headers, inside).await;
    problem(&reply, StatusCode::UNAUTHORIZED, "OM0102");
}

#[tokio::test]
async fn types_and_keys_are_found_in_forms() {
    let world = World::new().await;
    world
        .define(json!({ "name": "a", "eventTypeFrom": { "path": "Kind" },
                        "idempotencyKeys": ["field:Sid"] }))
        .await;
    let first = world.send("a", &[FORM], "Kind=sms.in&Sid=s1&Body=hi").await;
    let stored = only(&world, &first).await;
    assert_eq!(stored.event.event_type.as_str(), "custom.webhook.a.sms.in");
    assert_eq!(stored.event.metadata.idempotency_key.as_deref(), Some("s1"));
    assert_eq!(stored.event.metadata.provider_event_id, None, "no provider said so");
    assert_eq!(world.send("a", &[FORM], "Kind=sms.in&Sid=s1&Body=hi").await, first);
    problem(
        &world.send("a", &[FORM], "Kind=sms.in&Sid=s1&Body=ho").await,
        StatusCode::CONFLICT,
        "OM0105",
    );
}

#[tokio::test]
async fn uploads_bytes_and_nothing_become_events() {
    let world = World::new().await;
    world.define(json!({ "name": "a" })).await;
    let upload = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n.bin\"\r\n\r\nabc\r\n--b--\r\n";
    for (kind, body, payload) in [
        (
            "multipart/form-data; boundary=b",
            upload,
            json!({ "f": { "fileName": "n.bin", "contentType": null, "size": 3, "base64": "YWJj" } }),
        ),
        ("application/xml", "<a/>", json!({ "contentType": "application/xml", "text": "<a/>" })),
        ("image/png", "png", json!({ "contentType": "image/png", "base64": "cG5n" })),
        ("application/json", "", Value::Null),
    ] {
        let stored = only(&world, &world.send("a", &[("Content-Type", kind)], body).await).await;
        assert_eq!(stored.event.payload.to_value(), payload, "{kind}");
        let raw = kept(&world, &stored).await;
        assert!(matches!(&raw, Body::Bytes(bytes) if bytes == body.as_bytes()), "{raw:?}");
    }
}

#[tokio::test]
async fn what_is_compressed_is_not_inflated() {
    let world = World::new().await;
    world.define_github().await;
    // Gzip of nothing in particular: whoever signs it is told to send it as it is.
    let body = "\u{1f}\u{8b}\u{8}";
    let signature = sign(body);
    let headers = [("Content-Encoding", "gzip"), ("X-Hub-Signature-256", &signature)];
    let reply = world.send("github", &headers, body).await;
    problem(&reply, StatusCode::UNSUPPORTED_MEDIA_TYPE, "OM0113");
    let accept = reply.headers.iter().find(|(name, _)| name == "accept-encoding").unwrap();
    assert_eq!(accept.1, "identity");
    let unsigned = world.send("github", &[("Content-Encoding", "gzip")], body).await;
    problem(&unsigned, StatusCode::UNAUTHORIZED, "OM0102");
}

#[tokio::test]
async fn a_cloud_event_keeps_its_name_its_id_and_its_family() {
    let world = World::new().await;
    world.define(json!({ "name": "ce" })).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "e-1"),
        ("ce-source", "/shop"),
        ("ce-type", "com.example.Order/Paid"),
        ("ce-time", "2026-01-02T03:04:05Z"),
        ("Content-Type", "application/json"),
        ("X-Correlation-Id", "c-1"),
        ("traceparent", trace),
    ];
    let first = world.send("ce", &headers, r#"{"n": 1}"#).await;
    let event = only(&world, &first).await.event;
    assert_eq!(event.event_type.as_str(), "custom.webhook.ce.com.example.order-paid");
    assert_eq!((event.payload.as_str(), event.source.as_str()), (r#"{"n": 1}"#, "webhook:ce"));
    assert_eq!(event.time.to_rfc3339(), "2026-01-02T03:04:05+00:00");
    assert_eq!(event.metadata.provider_event_id.as_deref(), Some("e-1"));
    assert_eq!(event.metadata.correlation_id, "c-1");
    assert_eq!(event.metadata.traceparent.as_deref(), Some(trace));
    // In the other mode it is the same event.
    let structured = r#"{"specversion":"1.0","id":"e-1","source":"/shop","type":"com.example.Order/Paid","data":{"n": 1}}"#;
    let kind = [("Content-Type", "application/cloudevents+json")];
    let again = world.send("ce", &kind, structured).await;
    assert_eq!(again.event_id, first.event_id);
    let other = structured.replace("{\"n\": 1}", "{\"n\": 2}");
    problem(&world.send("ce", &kind, &other).await, StatusCode::CONFLICT, "OM0105");
    // Nothing leaves its source's part of the names.
    let core =
        structured.replace("e-1", "e-2").replace("com.example.Order/Paid", "message.received");
    let event = only(&world, &world.send("ce", &kind, &core).await).await.event;
    assert_eq!(event.event_type.as_str(), "custom.webhook.ce.message.received");
    let own =
        structured.replace("e-1", "e-3").replace("com.example.Order/Paid", "custom.webhook.ce.x");
    let event = only(&world, &world.send("ce", &kind, &own).await).await.event;
    assert_eq!(event.event_type.as_str(), "custom.webhook.ce.x");
}

#[tokio::test]
async fn a_batch_is_all_or_nothing_and_a_repeat_is_the_same() {
    let world = World::new().await;
    world.define(json!({ "name": "ce" })).await;
    let one = |id: &str, kind: &str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"/s","type":"{kind}","data":1}}"#)
    };
    let batch = format!("[{},{}]", one("1", "a"), one("2", "b"));
    let reply = world.send("ce", &[BATCH], &batch).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let ids = json_of(&reply)["eventIds"].clone();
    let stored = world.events().await;
    let found: Vec<String> = stored.iter().map(|event| event.event.id.to_string()).collect();
    assert_eq!(ids, json!(found));
    assert_eq!(world.send("ce", &[BATCH], &batch).await, reply);
    assert_eq!(world.events().await.len(), 2);

    let long = format!("[{},{}]", one("3", "a"), one("4", &"x".repeat(300)));
    problem(&world.send("ce", &[BATCH], &long).await, StatusCode::BAD_REQUEST, "OM0114");
    assert_eq!(world.events().await.len(), 2, "the good one waits for the whole");
    let empty = world.send("ce", &[BATCH], "[]").await;
    assert_eq!(json_of(&empty), json!({ "acknowledged": true, "eventIds": [] }));
    assert_eq!(world.quarantine("ce").await.len(), 1);
}

#[tokio::test]
async fn a_signature_over_the_url_holds_behind_a_proxy_and_under_a_public_name() {
    let mut world = World::new().await;
    world.receiver = world.receiver.clone().behind(vec!["10.0.0.0/8".parse().unwrap()]);
    let source = |name: &str| {
        json!({ "name": name, "secret": SECRET, "verifier": { "signature": {
            "algorithm": "hmacSha256", "from": { "header": "X-Sig" }, "encoding": "hex",
            "signed": ["url", "body"] } } })
    };
    world.define(source("plain")).await;
    let mut public = source("public");
    public["publicUrl"] = json!("https://out.example/in");
    world.define(public).await;
    let send = |name: &'static str, url: &str, peer: &str| {
        let tag = omni_crypto::hmac_sha256(SECRET.as_bytes(), &[url.as_bytes(), b"{}"]);
        let tag = hex::encode(tag);
        let headers = [
            ("Host", "inner:7400"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "hooks.example"),
            ("X-Sig", &tag),
        ];
        let uri: Uri = "/webhooks/x?a=1".parse().unwrap();
        let remote = Some(peer.parse().unwrap());
        let request = Incoming { uri, remote, method: Method::POST, ..incoming(&headers, "{}") };
        let world = &world;
        async move { world.ask(name, request).await.status.as_u16() }
    };
    let (ours, strange) = ("10.0.0.1:1", "192.0.2.1:1");
    assert_eq!(send("plain", "https://hooks.example/webhooks/x?a=1", ours).await, 200);
    assert_eq!(send("plain", "https://hooks.example/webhooks/x?a=1", strange).await, 401);
    assert_eq!(send("plain", "http://inner:7400/webhooks/x?a=1", strange).await, 200);
    assert_eq!(send("public", "https://out.example/in?a=1", strange).await, 200);
    assert_eq!(send("public", "https://out.example/in", strange).await, 401);
}
