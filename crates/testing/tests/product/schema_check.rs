//! A new version of a schema is held against reality: stored events, and automations that read the type.

use futures_util::future::join_all;
use http::Method;
use omni_testing::{Database, TestApp, on_both};
use serde_json::{Value, json};

const TYPE: &str = "custom.order.paid";

/// Stores events, many at a time, and answers their ids in the order given.
async fn store(app: &TestApp, payloads: &[Value]) -> Vec<String> {
    let mut ids = Vec::new();
    for some in payloads.chunks(50) {
        ids.extend(join_all(some.iter().map(|payload| app.trigger(TYPE, payload))).await);
    }
    ids
}

fn order(number: usize) -> Value {
    let total = if number % 150 == 7 { json!("much") } else { json!(number) };
    json!({ "total": total, "from": { "id": "u1", "tags": ["vip"] } })
}

/// What an order looks like; `names` are the members of `from`.
fn schema(total: &str, names: &[&str]) -> Value {
    let text = |name: &&str| {
        ((*name).to_owned(), json!({ "type": ["string", "array"], "items": { "type": "string" } }))
    };
    let members: serde_json::Map<String, Value> = names.iter().map(text).collect();
    json!({ "type": "object", "required": ["total"], "properties": {
        "total": { "type": if total.is_empty() { json!(["number", "string"]) } else { json!(total) } },
        "from": { "type": "object", "properties": members },
    } })
}

async fn register(app: &TestApp, schema: &Value, compatibility: &str) -> omni_testing::Reply {
    let body = json!({ "eventType": TYPE, "schema": schema, "compatibility": compatibility });
    app.http.post("/api/events/types", &body).await
}

async fn check(app: &TestApp, body: &Value) -> Value {
    app.http.post(&format!("/api/events/types/{TYPE}/check"), body).await.expect(200).json()
}

async fn add_readers(app: &TestApp) {
    app.add_automation(&json!({
        "name": "vip-fast", "triggerEventType": "custom.order.*",
        "triggerConditions": [{ "field": "payload.from.tags", "operator": "contains", "value": "vip" }],
        "actions": [{ "type": "log", "config": { "message": "{{ payload.from.id }} paid {{ payload.total }}" } }],
    }))
    .await;
    app.add_automation(&json!({
        "name": "sleeps", "triggerEventType": TYPE, "enabled": false,
        "actions": [{ "type": "log", "config": { "message": "{{ payload.from.tags[0] }}" } }],
    }))
    .await;
    app.add_automation(&json!({
        "name": "elsewhere", "triggerEventType": "custom.invoice.sent",
        "actions": [{ "type": "log", "config": { "message": "{{ payload.from.tags }}" } }],
    }))
    .await;
}

/// Seven events and two automations.
fn assert_what_breaks(found: &Value, ids: &[String]) {
    let evidence = &found["evidence"];
    assert_eq!(
        (&evidence["checked"], &evidence["failing"]),
        (&json!(999), &json!(7)),
        "{evidence}"
    );
    assert_eq!(
        (&evidence["total"], &evidence["complete"], &evidence["leftOut"]),
        (&json!(1000), &json!(true), &json!(1))
    );
    let failures = evidence["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 5);
    assert!(
        failures.iter().all(|failure| failure["violations"][0]["pointer"] == "/total"),
        "{evidence}"
    );
    assert!(
        failures.iter().all(|failure| ids.iter().any(|id| failure["eventId"] == json!(id))),
        "{evidence}"
    );
    assert!(!found["evidence"].to_string().contains("much"), "{evidence}");
    let readers = found["readers"].as_array().unwrap();
    let told: Vec<&str> =
        readers.iter().map(|reader| reader["message"].as_str().unwrap()).collect();
    let expected = [
        "automation sleeps (off) reads payload.from.tags[0], which is gone (action 1 (log): message)",
        "automation vip-fast reads payload.from.tags, which is gone (condition 1); did you mean payload.from.labels?",
    ];
    assert_eq!(told, expected);
    assert!(!found["compared"]["compatible"].as_bool().unwrap());
    let line = found["summary"].as_str().unwrap();
    assert!(line.starts_with("7 of 999 stored events fail (1 without"), "{line}");
    assert!(
        line.contains("; automation vip-fast reads payload.from.tags, which is gone"),
        "{line}"
    );
}

async fn a_version_is_held_against_events_and_readers(database: Database) {
    let app = TestApp::start(database).await;
    add_readers(&app).await;
    let ids = store(&app, &(0..1000).map(order).collect::<Vec<_>>()).await;
    let theirs = json!({ "eventType": TYPE, "payload": { "total": {} } });
    let headers = [
        ("x-omni-org".to_owned(), "acme".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    app.http
        .send(Method::POST, "/api/events/trigger", &headers, theirs.to_string())
        .await
        .expect(201);
    let expunged = json!({ "reason": "asked by the person" });
    app.http.post(&format!("/api/events/{}/expunge", ids[3]), &expunged).await.expect(200);

    // The first version: nobody loses anything, and what is stored may be anything.
    let first = register(&app, &schema("", &["id", "tags"]), "FULL").await.expect(201).json();
    assert_eq!(
        (&first["evidence"]["checked"], &first["evidence"]["failing"]),
        (&json!(999), &json!(0)),
        "{first}"
    );
    assert_eq!(first["readers"], json!([]));
    assert_eq!(
        first["summary"],
        "0 of 999 stored events fail (1 without a payload are left out); no automation loses what it reads"
    );

    // The next one is narrower, and renames what an automation reads.
    let next = schema("number", &["id", "labels"]);
    let found = check(&app, &json!({ "schema": next })).await;
    assert_what_breaks(&found, &ids);

    // A refusal says the same, and nothing was changed by all that.
    let refused = register(&app, &next, "FULL").await.expect(409).json();
    assert_eq!(refused["evidence"]["failing"], 7, "{refused}");
    assert_eq!(refused["readers"], found["readers"]);
    let path = format!("/api/events/types/{TYPE}");
    assert_eq!(app.http.get(&path).await.expect(200).json()["version"], 1);

    // What the mode lets through is let through, whoever it breaks.
    let second = register(&app, &next, "NONE").await.expect(201).json();
    assert_eq!(
        (&second["version"], &second["evidence"]["failing"]),
        (&json!(2), &json!(7)),
        "{second}"
    );
    assert_eq!(second["readers"], found["readers"]);

    // It is used by name, so it stays.
    let used = app.http.delete(&path).await.expect(409).text();
    assert!(used.contains("automation sleeps, which is off, is triggered by it"), "{used}");
    assert!(!used.contains("vip-fast"), "a pattern outlives a type: {used}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_is_held_against_events_and_readers_on_both() {
    on_both(a_version_is_held_against_events_and_readers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_tells_how_far_it_is() {
    let app = TestApp::start(Database::Embedded).await;
    store(&app, &(0..1200).map(order).collect::<Vec<_>>()).await;
    let body = json!({ "schema": schema("number", &[]), "limit": 1100 }).to_string();
    let headers = [
        ("accept".to_owned(), "text/event-stream".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let path = format!("/api/events/types/{TYPE}/check");
    let stream = app.http.send(Method::POST, &path, &headers, body).await.expect(200).text();
    let mut steps: Vec<(u64, u64)> = Vec::new();
    let mut last = Value::Null;
    for message in stream.split("\n\n").filter(|message| !message.is_empty()) {
        let data = message.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        if message.contains("event: progress") {
            assert!(last.is_null(), "the answer comes last: {stream}");
            steps.push((data["checked"].as_u64().unwrap(), data["total"].as_u64().unwrap()));
        } else {
            assert!(message.contains("event: check"), "{message}");
            last = data;
        }
    }
    assert!(steps.is_sorted(), "{steps:?}");
    assert!(steps.iter().all(|(checked, total)| checked <= total && *total == 1100), "{steps:?}");
    assert_eq!(last["evidence"]["checked"], 1100);
    assert_eq!(last["evidence"]["complete"], false);
    assert_eq!(last["compared"]["against"], json!([]), "the type is not registered");
    let line = last["summary"].as_str().unwrap();
    assert!(
        line.starts_with("7 of the newest 1,100 of 1,200 stored events fail; no automation"),
        "{line}"
    );
    app.finish().await;
}
