//! A rule that emits what triggers it is cut, visibly.

use omni_events::HOPS_MAX;
use omni_testing::{Database, TestApp};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rule_that_triggers_itself_is_cut_with_its_path() {
    let app = TestApp::start(Database::Embedded).await;
    let emit =
        |to: &str| json!([{ "type": "emit_event", "config": { "eventType": to, "payload": {} } }]);
    app.add_automation(&json!({ "name": "ping", "triggerEventType": "custom.ping", "actions": emit("custom.pong") })).await;
    app.add_automation(&json!({ "name": "pong", "triggerEventType": "custom.pong", "actions": emit("custom.ping") })).await;
    app.trigger("custom.ping", &json!({})).await;
    app.settled().await;

    let failed = omni_testing::eventually("the cut is in the log", async || {
        let list = app.http.get("/api/executions?status=failed").await.expect(200).json();
        list["items"].as_array().and_then(|items| items.first().cloned())
    })
    .await;
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("hop limit 16"), "{error}");
    assert!(
        error.contains("custom.ping by api") && error.contains("custom.pong by automation:ping"),
        "{error}"
    );

    let events: Value = app.http.get("/api/events?limit=500").await.expect(200).json();
    assert_eq!(events["items"].as_array().unwrap().len(), usize::from(HOPS_MAX) + 1);
    app.finish().await;
}
