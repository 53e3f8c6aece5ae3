//! The surface: paging, versions, health, metrics, the OpenAPI document, correlation.

use http::Method;
use omni_testing::{Database, TestApp};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_lead_through_everything_once() {
    let app = TestApp::start(Database::Embedded).await;
    let mut wanted = Vec::new();
    for n in 0..25 {
        wanted.push(app.trigger("custom.page", &json!({ "n": n })).await);
    }
    wanted.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.http.get(&format!("/api/events?limit=10{cursor}")).await.expect(200).json();
        seen.extend(
            page["items"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, wanted, "newest first, each once");
    app.http.get("/api/events?cursor=nonsense!").await.expect(400);
    app.http.get("/api/events?limit=x").await.expect(400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_found_by_what_is_known_of_them() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    let push = app.deliver("push", "d-77", "{}").await.expect(200).json()["eventId"].clone();
    let body = json!({ "eventType": "custom.chat", "payload": {}, "metadata": { "channelType": "whatsapp", "instanceId": "wa-001", "correlationId": "case-7" } });
    let chat =
        app.http.post("/api/events/trigger", &body).await.expect(201).json()["eventId"].clone();
    let find = async |query: &str| -> Vec<Value> {
        let list = app.http.get(&format!("/api/events?{query}")).await.expect(200).json();
        list["items"].as_array().unwrap().iter().map(|e| e["id"].clone()).collect()
    };
    for query in [
        "type=custom.webhook.%3E",
        "type=custom.webhook.github.*",
        "source=webhook:github",
        "providerEventId=d-77",
        "direction=inbound",
    ] {
        assert_eq!(find(query).await, std::slice::from_ref(&push), "{query}");
    }
    for query in
        ["type=custom.chat", "channelType=whatsapp", "instanceId=wa-001", "correlationId=case-7"]
    {
        assert_eq!(find(query).await, std::slice::from_ref(&chat), "{query}");
    }
    assert_eq!(find("order=asc").await, [push, chat]);
    assert_eq!(find("from=2100-01-01T00:00:00Z").await, Vec::<Value>::new());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_version_is_refused_and_secrets_stay_inside() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    let reply = app.http.get("/api/sources/github").await.expect(200);
    assert!(!reply.text().contains(omni_testing::SECRET), "{}", reply.text());
    let etag = reply.headers["etag"].to_str().unwrap().to_owned();
    let change = json!({ "name": "github", "kind": "webhook", "provider": "github", "description": "changed" }).to_string();
    let put = async |etag: &str| {
        let headers = vec![
            ("if-match".to_owned(), etag.to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        app.http.send(Method::PUT, "/api/sources/github", &headers, change.clone()).await
    };
    put(&etag).await.expect(200);
    put(&etag).await.expect(412);
    app.deliver("ping", "d-1", "{}").await.expect(200);
    app.http
        .post(
            "/api/sources",
            &json!({ "name": "github", "kind": "webhook", "provider": "github", "secret": "x" }),
        )
        .await
        .expect(409);
    app.http.delete("/api/sources/github").await.expect(204);
    app.deliver("ping", "d-2", "{}").await.expect(404);
    app.finish().await;
}

/// What the sender says of the time stands beside the time of receipt, and neither replaces the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_senders_time_is_kept_apart_from_ours() {
    let app = TestApp::start(Database::Embedded).await;
    let body = json!({ "eventType": "custom.late", "payload": {}, "metadata": { "time": "2020-01-02T03:04:05.678Z", "provider": "till" } });
    let id =
        app.http.post("/api/events/trigger", &body).await.expect(201).json()["eventId"].clone();
    let event = app.outcome(id.as_str().unwrap()).await;
    assert_eq!(event["time"], "2020-01-02T03:04:05.678Z");
    assert!(event["receivedAt"].as_str().unwrap() > "2026", "{event}");
    assert_eq!(event["metadata"]["provider"], "till");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_a_trigger_harmless_to_repeat() {
    let app = TestApp::start(Database::Embedded).await;
    let send = async |key: &str, n: i32| {
        let headers = [
            ("idempotency-key", key),
            ("x-correlation-id", "corr-1"),
            ("content-type", "application/json"),
        ];
        let headers: Vec<_> =
            headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let body = json!({ "eventType": "custom.keyed", "payload": { "n": n } }).to_string();
        app.http.send(Method::POST, "/api/events/trigger", &headers, body).await
    };
    let first = send("k-1", 1).await.expect(201);
    assert_eq!(first.headers["x-correlation-id"], "corr-1");
    assert_eq!(send("k-1", 1).await.expect(201).json(), first.json());
    send("k-1", 2).await.expect(409);
    assert_ne!(send("k-2", 2).await.expect(201).json(), first.json());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_metrics_and_the_document_answer() {
    let app = TestApp::start(Database::Embedded).await;
    app.http.get("/healthz").await.expect(200);
    app.http.get("/readyz").await.expect(200);
    app.trigger("custom.x", &json!({})).await;
    app.settled().await;
    let metrics = app.http.get("/metrics").await.expect(200).text();
    for line in
        ["omni_log_events_appended_total 1", "omni_engine_events_total 1", "omni_log_behind 0"]
    {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let openapi = app.http.get("/api/openapi.json").await.expect(200).json();
    assert!(openapi["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in [
        "/webhooks/{source}",
        "/api/events/trigger",
        "/api/automations/{id}/enable",
        "/api/events/{id}",
    ] {
        assert!(openapi["paths"][path].is_object(), "{path}");
    }
    app.http.get("/api/nothing-here").await.expect(404);
    app.http.delete("/api/events/trigger").await.expect(405);
    let stats = app.http.get("/api/stats").await.expect(200).json();
    assert_eq!(stats["events"], 1, "{stats}");
    let types = app.http.get("/api/events/types").await.expect(200).json();
    assert!(
        types["types"].as_array().unwrap().iter().any(|t| t["eventType"] == "message.received")
    );
    app.finish().await;
}
