//! Raw payloads from outside: captured under a policy, shown, expired by time, deleted with a reason, taken out for good.

use std::{sync::Arc, time::Duration};

use omni_clock::ManualClock;
use omni_testing::{Database, TestApp, eventually, on_both};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_hours(24);

async fn payloads(app: &TestApp, id: &str) -> Vec<Value> {
    let list = app.http.get(&format!("/api/events/{id}/payloads")).await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

async fn push(app: &TestApp, delivery: &str, body: &str) -> String {
    let reply = app.deliver("push", delivery, body).await.expect(200).json();
    reply["eventId"].as_str().unwrap().to_owned()
}

async fn policies_decide(database: Database) {
    let app = TestApp::start(database).await;
    app.add_github().await;
    let first = payloads(&app, &push(&app, "d-1", r#"{"n":1}"#).await).await;
    assert_eq!((&first[0]["stage"], &first[0]["part"]), (&json!("webhook_raw"), &json!(0)));
    assert_eq!((&first[0]["body"], &first[0]["size"]), (&json!(r#"{"n":1}"#), &json!(7)));
    assert!(first[0]["expiresAt"].is_string() && first[0]["deletedAt"].is_null(), "{first:?}");

    let path = "/api/capture-policies/custom.webhook.%3E";
    app.http.put(path, &json!({ "retentionDays": null })).await.expect(200);
    let kept = payloads(&app, &push(&app, "d-2", "{}").await).await;
    assert!(kept[0]["expiresAt"].is_null(), "{kept:?}");

    // The more specific one wins, and is in force when the call returns.
    let narrow = "/api/capture-policies/custom.webhook.github.push";
    app.http.put(narrow, &json!({ "enabled": false })).await.expect(200);
    assert!(payloads(&app, &push(&app, "d-3", "{}").await).await.is_empty());
    app.http.put(narrow, &json!({ "stages": ["error"] })).await.expect(200);
    assert!(payloads(&app, &push(&app, "d-4", "{}").await).await.is_empty());
    assert_eq!(app.http.get(narrow).await.expect(200).json()["policy"]["stages"], json!(["error"]));

    let listed = app.http.get("/api/capture-policies").await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2, "{listed}");
    app.http.delete(narrow).await.expect(204);
    app.http.delete(narrow).await.expect(404);
    assert_eq!(payloads(&app, &push(&app, "d-5", "{}").await).await.len(), 1);

    let wrong =
        app.http.put(narrow, &json!({ "retentionDays": 0, "stages": [] })).await.expect(400);
    let pointers: Vec<String> = wrong.json()["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(pointers, ["/stages", "/retentionDays"]);
    app.http.put("/api/capture-policies/Custom", &json!({})).await.expect(400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_decides_what_is_captured_and_for_how_long() {
    on_both(policies_decide).await;
}

async fn expiry(database: Database) {
    let clock = ManualClock::at_unix(1_800_000_000);
    let app = TestApp::start_on(database, Arc::new(clock.clone())).await;
    app.add_github().await;
    let short = push(&app, "d-1", r#"{"n":1}"#).await;
    app.http
        .put("/api/capture-policies/custom.webhook.%3E", &json!({ "retentionDays": null }))
        .await
        .expect(200);
    let long = push(&app, "d-2", r#"{"n":2}"#).await;

    let later = "2027-02-01T00:00:00Z";
    let report = json!({ "dryRun": true, "at": later });
    let report = app.http.post("/api/capture/expire", &report).await.expect(200).json();
    assert_eq!((&report["parts"], &report["deleted"]), (&json!(1), &json!(0)), "{report}");
    let due = &report["items"][0];
    assert_eq!(
        (&due["eventType"], &due["stage"]),
        (&json!("custom.webhook.github.push"), &json!("webhook_raw"))
    );
    assert_eq!(due["oldest"], due["newest"]);
    app.http.post("/api/capture/expire", &json!({ "at": later })).await.expect(400);
    assert_eq!(payloads(&app, &short).await[0]["body"], r#"{"n":1}"#);

    // The server deletes by itself once the time is over: first the bytes, and after thirty days the row.
    let gone = eventually("the capture has expired", async || {
        clock.advance(DAY);
        let rows = payloads(&app, &short).await;
        (!rows[0]["deletedAt"].is_null()).then_some(rows)
    })
    .await;
    assert_eq!((&gone[0]["deletedReason"], &gone[0]["body"]), (&json!("expired"), &Value::Null));
    assert!(gone[0]["headers"].to_string().contains("x-github-delivery"), "{gone:?}");
    let bytes =
        app.http.get(&format!("/api/events/{short}/payloads/webhook_raw")).await.expect(404);
    assert!(bytes.text().contains("expired"), "{}", bytes.text());
    eventually("the row is forgotten", async || {
        clock.advance(DAY);
        payloads(&app, &short).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(payloads(&app, &long).await[0]["body"], r#"{"n":2}"#, "this one is kept for ever");
    app.http.get(&format!("/api/events/{short}")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_expire_by_themselves_and_events_stay() {
    on_both(expiry).await;
}

async fn by_hand(database: Database) {
    let app = TestApp::start(database).await;
    app.add_github().await;
    let id = push(&app, "d-1", r#"{"n":1}"#).await;
    let path = format!("/api/events/{id}/payloads");
    for wrong in ["", "?reason=", "?reason=%20", "?reason=a%0Ab", "?reason=x&stage=nowhere"] {
        app.http.delete(&format!("{path}{wrong}")).await.expect(400);
    }
    let long = "x".repeat(501);
    app.http.delete(&format!("{path}?reason={long}")).await.expect(400);
    let deleted = app.http.delete(&format!("{path}?reason=asked%20for")).await.expect(200).json();
    assert_eq!(deleted["deleted"], 1);
    let again = app.http.delete(&format!("{path}?reason=again")).await.expect(200).json();
    assert_eq!(again["deleted"], 0);
    let rows = payloads(&app, &id).await;
    assert_eq!((&rows[0]["deletedReason"], &rows[0]["body"]), (&json!("asked for"), &Value::Null));
    let event = app.http.get(&format!("/api/events/{id}")).await.expect(200).json();
    assert_eq!(event["payload"], json!({ "n": 1 }), "the event itself stays");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_are_deleted_with_a_reason() {
    on_both(by_hand).await;
}

async fn expunging(database: Database) {
    let app = TestApp::start(database).await;
    app.add_github().await;
    let id = push(&app, "d-1", r#"{"card":"canary-77"}"#).await;
    app.outcome(&id).await;
    let path = format!("/api/events/{id}/expunge");
    app.http.post(&path, &json!({})).await.expect(400);
    app.http.post(&path, &json!({ "reason": "" })).await.expect(400);
    let none = "/api/events/00000000-0000-7000-8000-000000000000/expunge";
    app.http.post(none, &json!({ "reason": "x" })).await.expect(404);
    let reason = json!({ "reason": "asked by the person" });
    let done = app.http.post(&path, &reason).await.expect(200).json();
    let again = app.http.post(&path, &json!({ "reason": "another" })).await.expect(200).json();
    assert_eq!(done, again, "the first time and reason stay");

    let event = app.http.get(&format!("/api/events/{id}")).await.expect(200).json();
    assert!(event["payload"].is_null(), "{event}");
    assert_eq!(event["expunged"]["reason"], "asked by the person");
    assert_eq!(event["expunged"]["at"], done["at"]);
    assert_eq!(event["outcome"]["status"], "completed", "what became of it stays");
    let list = app.http.get("/api/events?type=custom.webhook.%3E").await.expect(200);
    assert!(list.json()["items"][0]["expunged"].is_object(), "{}", list.text());
    let rows = app.http.get(&format!("/api/events/{id}/payloads")).await.expect(200);
    for text in [event.to_string(), list.text(), rows.text()] {
        assert!(!text.contains("canary-77"), "{text}");
    }
    assert_eq!(rows.json()["items"][0]["headers"], json!([]));
    let stage = app.http.get(&format!("/api/events/{id}/payloads/webhook_raw")).await.expect(404);
    assert!(stage.text().contains("expunged"), "{}", stage.text());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expunged_payload_is_nowhere_in_the_record() {
    on_both(expunging).await;
}

async fn failing(database: Database) {
    let app = TestApp::start(database).await;
    app.add_automation(&json!({
        "name": "fails", "triggerEventType": "custom.x",
        "actions": [{ "type": "log", "config": { "level": "info", "message": "{{ payload.nothing.there }}" } }],
    }))
    .await;
    let id = app.trigger("custom.x", &json!({ "n": 1 })).await;
    let error = eventually("the failure is captured", async || {
        payloads(&app, &id).await.into_iter().find(|row| row["stage"] == "error")
    })
    .await;
    let body: Value = serde_json::from_str(error["body"].as_str().unwrap()).unwrap();
    assert!(body["consumer"].as_str().unwrap().starts_with("automation:"), "{body}");
    assert!(body["errors"][0].as_str().unwrap().contains("nothing"), "{body}");
    assert_eq!(error["contentType"], "application/json");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_an_event_failed_is_captured_with_it() {
    on_both(failing).await;
}
