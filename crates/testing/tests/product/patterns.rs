//! Patterns from end to end: an automation that has one, why it did not match, what it would do, and what is odd about it.

use omni_proto as pb;
use omni_testing::{Database, TestApp, on_both};
use serde_json::{Value, json};

use crate::process::omni;

const TYPE: &str = "custom.order.paid";

fn log() -> Value {
    json!([{ "type": "log", "config": { "message": "{{ payload.id }} paid {{ payload.total }}" } }])
}

/// Large orders from somewhere in Europe that have a line of several books.
fn large() -> Value {
    json!({
        "name": "large", "triggerEventType": "custom.order.*",
        "triggerPattern": {
            "metadata": { "channelType": ["whatsapp", null] },
            "payload": {
                "total": [{ "numeric": [">=", 1000] }],
                "$or": [{ "country": [{ "anything-but": ["us"] }] }, { "vip": [true] }],
                "items": { "sku": [{ "prefix": "book-" }], "qty": [{ "numeric": [">", 1] }] },
            },
        },
        "triggerConditions": [{ "field": "payload.test", "operator": "neq", "value": true }],
        "actions": log(),
    })
}

async fn decide(database: Database) {
    let app = TestApp::start(database).await;
    let id = app.add_automation(&large()).await;
    let saved = app.http.get(&format!("/api/automations/{id}")).await.expect(200).json();
    assert_eq!(saved["triggerPattern"], large()["triggerPattern"]);
    let books = json!([{ "sku": "pen-1", "qty": 1 }, { "sku": "book-1", "qty": 2 }]);
    let apart = json!([{ "sku": "pen-1", "qty": 5 }, { "sku": "book-1", "qty": 1 }]);
    for (payload, matched) in [
        (json!({ "id": 1, "total": 1000, "country": "de", "items": books }), true),
        (json!({ "id": 2, "total": 1e3, "country": "us", "vip": true, "items": books }), true),
        (json!({ "id": 3, "total": 999.99, "country": "de", "items": books }), false),
        (json!({ "id": 4, "total": "1000", "country": "de", "items": books }), false),
        (json!({ "id": 5, "total": 1000, "country": "us", "items": books }), false),
        (json!({ "id": 6, "total": 1000, "country": "de", "items": apart }), false),
        (json!({ "id": 7, "total": 1000, "country": "de", "items": books, "test": true }), false),
        (json!({ "id": 8, "total": [1, 2000], "country": "de", "items": books }), true),
    ] {
        let event = app.trigger(TYPE, &payload).await;
        let outcome = app.outcome(&event).await;
        assert_eq!(outcome["outcome"]["executions"], i32::from(matched), "{payload}: {outcome}");
        let explained = explain(&app, &event, "?automation=large").await;
        assert_eq!(explained["items"][0]["matched"], matched, "{explained}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_automation_with_a_pattern_runs_for_what_it_describes() {
    on_both(decide).await;
}

async fn explain(app: &TestApp, event: &str, query: &str) -> Value {
    app.http.get(&format!("/api/events/{event}/explain{query}")).await.expect(200).json()
}

async fn told(app: &TestApp, args: &[&str]) -> String {
    let output = omni().args(["--server", &app.url]).args(args).output().await.unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same explanation over REST, over gRPC, and in words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_nothing_happened_is_told_on_every_face() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_automation(&large()).await;
    app.add_automation(
        &json!({ "name": "sleeps", "triggerEventType": TYPE, "enabled": false, "actions": log() }),
    )
    .await;
    app.add_automation(
        &json!({ "name": "misspelt", "triggerEventType": "custom.order.payed", "actions": log() }),
    )
    .await;
    app.add_automation(&json!({ "name": "elsewhere", "triggerEventType": "custom.invoice.sent", "actions": log() })).await;
    let payload = json!({ "id": 1, "total": 12.5, "country": "de", "items": [{ "sku": "book-1", "qty": 2 }] });
    let event = app.trigger(TYPE, &payload).await;
    app.outcome(&event).await;

    let all = explain(&app, &event, "").await;
    let names: Vec<_> = all["items"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["large", "misspelt", "sleeps"], "{all}");
    let large = &all["items"][0];
    assert_eq!(
        large["summary"], "payload.total numeric >= 1000 does not hold: found 12.5",
        "{large}"
    );
    assert_eq!(large["execution"]["status"], "skipped");
    let leaf = &large["proof"]["branches"][0]["leaves"][0];
    assert_eq!(
        (&leaf["pointer"], &leaf["actual"]),
        (&json!("/payload/total"), &json!([12.5])),
        "{leaf}"
    );
    assert_eq!(all["items"][1]["reasons"][0]["kind"], "wrongType", "{all}");
    assert_eq!(all["items"][2]["reasons"][0]["kind"], "disabled", "{all}");
    let elsewhere = explain(&app, &event, "?automation=elsewhere").await;
    assert_eq!(elsewhere["items"][0]["reasons"][0]["kind"], "wrongType", "{elsewhere}");
    app.http.get(&format!("/api/events/{event}/explain?automation=nobody")).await.expect(404);

    let channel =
        tonic::transport::Channel::from_shared(app.url.clone()).unwrap().connect().await.unwrap();
    let mut events = pb::event_service_client::EventServiceClient::new(channel);
    let request = pb::ExplainEventRequest { id: event.clone(), automation: String::new() };
    let answer = events.explain(request).await.unwrap().into_inner();
    assert_eq!(serde_json::from_slice::<Value>(&answer.document).unwrap(), all);

    let text = told(&app, &["event", "explain", &event]).await;
    for line in [
        "✗ large (version 1)",
        "  payload.total numeric >= 1000 does not hold: found 12.5",
        "✗ sleeps (version 1)",
        "✗ misspelt (version 1)",
    ] {
        assert!(text.lines().any(|told| told == line), "{line:?} is not in\n{text}");
    }
    assert!(text.contains("which is nearly the same") && !text.contains("elsewhere"), "{text}");
    let one = told(&app, &["event", "explain", &event, "--automation", "sleeps"]).await;
    assert!(one.contains("it is off; its pattern and conditions hold"), "{one}");
    let json = told(&app, &["event", "explain", &event, "-o", "json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), all);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_definition_is_tried_on_an_event_before_it_is_saved() {
    let app = TestApp::start(Database::Embedded).await;
    let test = async |body: &Value| app.http.post("/api/automations/test", body).await;
    let mut event = json!({ "type": TYPE, "payload": { "id": 7, "total": 2000, "country": "de", "items": [{ "sku": "book-1", "qty": 3 }] } });
    let trial = test(&json!({ "definition": large(), "event": event })).await.expect(200).json();
    assert_eq!(trial["matched"], true, "{trial}");
    assert_eq!(
        trial["actions"][0],
        json!({ "type": "log", "config": { "message": "7 paid 2000" } })
    );
    event["metadata"] = json!({ "channelType": "telegram" });
    let trial = test(&json!({ "definition": large(), "event": event })).await.expect(200).json();
    assert_eq!(trial["matched"], false, "{trial}");
    assert!(trial["summary"].as_str().unwrap().starts_with("metadata.channelType"), "{trial}");

    let stored = app.trigger(TYPE, &event["payload"]).await;
    let trial = test(&json!({ "definition": large(), "eventId": stored })).await.expect(200).json();
    assert_eq!(trial["matched"], true, "{trial}");
    let whole = app.http.get(&format!("/api/events/{stored}")).await.expect(200).json();
    let trial = test(&json!({ "definition": large(), "event": whole })).await.expect(200).json();
    assert_eq!(trial["matched"], true, "an event is taken as the API gives it: {trial}");
    assert!(app.executions(&stored).await.is_empty(), "nothing was saved");

    let mut faulty = large();
    faulty["triggerPattern"]["payload"]["total"] = json!(1000);
    let refused = test(&json!({ "definition": faulty, "event": event })).await.expect(400).json();
    assert_eq!(
        refused["errors"][0]["pointer"], "/definition/triggerPattern/payload/total",
        "{refused}"
    );
    test(&json!({ "definition": large() })).await.expect(400);
    test(&json!({ "definition": large(), "eventId": uuid::Uuid::from_u128(1) })).await.expect(404);

    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (definition, of_event) = (write("large.json", &large()), write("event.json", &event));
    let text = told(&app, &["automation", "test", "-f", &definition, "--event", &of_event]).await;
    assert!(text.starts_with("it would not run: metadata.channelType"), "{text}");
    let text = told(&app, &["automation", "test", "-f", &definition, "--event", &stored]).await;
    assert!(text.starts_with("it would run") && text.contains("7 paid 2000"), "{text}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_odd_about_automations_is_told() {
    let app = TestApp::start(Database::Embedded).await;
    let schema = json!({ "type": "object", "additionalProperties": false, "properties": {
        "id": { "type": "integer" }, "total": { "type": "number" }, "state": { "enum": ["new", "paid"] } } });
    let body = json!({ "eventType": TYPE, "schema": schema });
    app.http.post("/api/events/types", &body).await.expect(201);
    let with = |name: &str, pattern: Value| json!({ "name": name, "triggerEventType": TYPE, "triggerPattern": pattern, "actions": log() });
    let lint =
        async |body: &Value| app.http.post("/api/automations/lint", body).await.expect(200).json();
    let codes = |lints: &Value| -> Vec<(String, String)> {
        let items = lints["items"].as_array().unwrap().iter();
        items
            .flat_map(|item| {
                let findings = item["findings"].as_array().unwrap().iter();
                findings
                    .map(|one| {
                        (
                            one["code"].as_str().unwrap().to_owned(),
                            one["pointer"].as_str().unwrap().to_owned(),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect()
    };
    let odd = with(
        "odd",
        json!({ "payload": { "totl": [1], "state": ["gone"], "id": [{ "numeric": [">", 1] }] } }),
    );
    let found = codes(&lint(&json!({ "definition": odd })).await);
    for wanted in [
        ("unknown-field", "/triggerPattern/payload/totl"),
        ("impossible-value", "/triggerPattern/payload/state"),
    ] {
        assert!(
            found.iter().any(|(code, pointer)| (code.as_str(), pointer.as_str()) == wanted),
            "{found:?}"
        );
    }
    let fine = with("first", json!({ "payload": { "total": [{ "numeric": [">", 10] }] } }));
    assert_eq!(codes(&lint(&json!({ "definition": fine })).await), []);
    app.add_automation(&fine).await;
    let same = with("second", json!({ "payload": { "total": [{ "numeric": [">", 10] }] } }));
    let narrower = with("third", json!({ "payload": { "total": [{ "numeric": [">", 100] }] } }));
    let found = lint(&json!({ "definition": same })).await;
    assert_eq!(codes(&found)[0].0, "equal", "{found}");
    app.add_automation(&narrower).await;
    let found = lint(&json!({})).await;
    assert_eq!((found["checked"].as_u64(), found["complete"].as_bool()), (Some(2), Some(true)));
    assert_eq!(
        (&found["items"][0]["name"], codes(&found)[0].0.as_str()),
        (&json!("third"), "contained"),
        "{found}"
    );
    let text = told(&app, &["automation", "lint"]).await;
    assert!(
        text.starts_with("third\n") && text.contains("contained") && text.contains("`first`"),
        "{text}"
    );
    app.finish().await;
}

/// What a rule judges is what an action uses: no payload has a name twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_with_a_name_twice_is_refused_with_its_place() {
    let app = TestApp::start(Database::Embedded).await;
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = r#"{"eventType": "custom.x", "payload": {"total": 1, "total": 5000}}"#;
    let reply =
        app.http.send(http::Method::POST, "/api/events/trigger", &headers, body.to_owned()).await;
    let problem = reply.expect(400).json();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("`total` twice") && detail.contains("at byte 50"), "{detail}");
    app.finish().await;
}
