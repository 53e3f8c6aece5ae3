//! Bad input: a clear error with its place, nothing stored, nothing lost of what was accepted.

use http::Method;
use omni_testing::{Database, Reply, SECRET, TestApp, github};
use serde_json::{Value, json};

fn pointers(reply: &Reply) -> Vec<String> {
    let problem = reply.json();
    let errors = problem["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().map(|e| e["pointer"].as_str().unwrap_or_default().to_owned()).collect()
}

async fn events(app: &TestApp) -> Value {
    app.http.get("/api/stats").await.expect(200).json()["events"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_is_not_what_it_should_be_is_refused_and_not_stored() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    let body = github::push("main").to_string();
    let send = async |headers: Vec<(String, String)>, body: &str| {
        app.http.send(Method::POST, "/webhooks/github", &headers, body.to_owned()).await
    };

    app.http.post("/webhooks/nobody", &json!({})).await.expect(404);
    send(github::headers("another secret", "push", "d-1", body.as_bytes()), &body)
        .await
        .expect(401);
    send(Vec::new(), &body).await.expect(401);

    let wrong = r#"{ "ref": nope }"#;
    let reply =
        send(github::headers(SECRET, "push", "d-2", wrong.as_bytes()), wrong).await.expect(400);
    assert!(reply.text().contains("byte 10"), "{}", reply.text());

    let deep = "[".repeat(129) + &"]".repeat(129);
    send(github::headers(SECRET, "push", "d-3", deep.as_bytes()), &deep).await.expect(400);

    let large = format!("\"{}\"", "x".repeat(1 << 20));
    send(github::headers(SECRET, "push", "d-4", large.as_bytes()), &large).await.expect(413);

    assert_eq!(events(&app).await, 0);
    let kept = app.http.get("/api/sources/github/quarantine").await.expect(200).json();
    let reasons = kept["items"].as_array().unwrap();
    assert_eq!(reasons.len(), 4, "two signatures and two bodies: {kept}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quarantine_is_bounded() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    for n in 0..130 {
        let body = json!({ "n": n }).to_string();
        let headers = github::headers("wrong", "push", &format!("d-{n}"), body.as_bytes());
        app.http.send(Method::POST, "/webhooks/github", &headers, body).await.expect(401);
    }
    let kept = app.http.get("/api/sources/github/quarantine?limit=500").await.expect(200).json();
    assert!(
        kept["items"].as_array().unwrap().len() <= 100,
        "{}",
        kept["items"].as_array().unwrap().len()
    );
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_with_faults_is_refused_with_a_pointer_for_each() {
    let app = TestApp::start(Database::Embedded).await;
    let log = json!([{ "type": "log", "config": { "level": "info", "message": "x" } }]);
    let refused = async |change: Value, pointer: &str| {
        let mut definition = json!({ "name": "n", "triggerEventType": "custom.a", "actions": log });
        for (key, value) in change.as_object().unwrap() {
            definition[key] = value.clone();
        }
        let reply = app.http.post("/api/automations", &definition).await;
        assert!(matches!(reply.status.as_u16(), 400 | 422), "{} {}", reply.status, reply.text());
        let found = pointers(&reply);
        assert!(
            found.iter().any(|p| p == pointer),
            "{pointer} is not in {found:?}: {}",
            reply.text()
        );
    };
    let condition = |field: &str, operator: &str, value: Value| json!({ "triggerConditions": [{ "field": field, "operator": operator, "value": value }] });
    refused(condition("payload.x", "resembles", json!(1)), "/triggerConditions/0/operator").await;
    refused(condition("$.payload[?", "eq", json!(1)), "/triggerConditions/0/field").await;
    refused(condition("from.tags", "contains", json!("vip")), "/triggerConditions/0/field").await;
    refused(condition("payload.x", "matches", json!("(")), "/triggerConditions/0/value").await;
    refused(condition("payload.x", "in", json!("not a list")), "/triggerConditions/0/value").await;
    refused(json!({ "actions": [{ "type": "fly", "config": {} }] }), "/actions/0/type").await;
    refused(
        json!({ "actions": [{ "type": "webhook", "config": { "url": 7 } }] }),
        "/actions/0/config/url",
    )
    .await;
    refused(json!({ "actions": [{ "type": "log", "config": { "level": "info", "message": "{{ nowhere.x }}" } }] }), "/actions/0/config/message").await;
    refused(json!({ "triggerEventType": "order.paid" }), "/triggerEventType").await;
    refused(json!({ "name": " " }), "/name").await;
    let list = app.http.get("/api/automations").await.expect(200).json();
    assert_eq!(list["items"], json!([]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trigger_is_checked_against_the_event_type() {
    let app = TestApp::start(Database::Embedded).await;
    let post = async |body: Value| app.http.post("/api/events/trigger", &body).await;
    post(json!({ "eventType": "message.received", "payload": { "from": { "id": "1" }, "content": { "type": "text", "text": "hi" } } })).await.expect(201);
    let reply =
        post(json!({ "eventType": "message.received", "payload": { "from": "somebody" } })).await;
    assert!(matches!(reply.status.as_u16(), 400 | 422), "{}", reply.text());
    let reply = post(json!({ "eventType": "message.imagined", "payload": {} })).await;
    assert!(matches!(reply.status.as_u16(), 400 | 422), "{}", reply.text());
    post(json!({ "eventType": "custom.anything.at-all", "payload": [1, 2] })).await.expect(201);
    let reply =
        post(json!({ "eventType": "custom.a", "payload": {}, "colour": "red" })).await.expect(400);
    assert!(reply.text().contains("colour"), "{}", reply.text());
    assert_eq!(events(&app).await, 2);
    app.finish().await;
}
