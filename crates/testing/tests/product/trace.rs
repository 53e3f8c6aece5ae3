//! The trace of an event: one tree from the request to the last thing that followed.

use http::Method;
use omni_testing::{Database, TestApp, eventually, on_both};
use serde_json::{Value, json};

fn child<'a>(node: &'a Value, kind: &str) -> &'a Value {
    let found = node["children"].as_array().unwrap().iter().find(|child| child["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} below {node}"))
}

async fn tree(database: Database) {
    let app = TestApp::start(database).await;
    app.add_github().await;
    app.add_automation(&json!({ "name": "alarm", "triggerEventType": "custom.webhook.github.push",
        "actions": [
            { "type": "log", "config": { "level": "info", "message": "pushed" } },
            { "type": "emit_event", "config": { "eventType": "custom.alert", "payload": { "who": "{{ payload.who }}" } } },
        ] }))
    .await;
    app.add_automation(&json!({ "name": "other", "triggerEventType": "custom.webhook.github.push",
        "triggerConditions": [{ "field": "payload.who", "operator": "eq", "value": "nobody" }],
        "actions": [{ "type": "log", "config": { "level": "info", "message": "m" } }] }))
        .await;
    app.add_automation(&json!({ "name": "pager", "triggerEventType": "custom.alert",
        "actions": [{ "type": "log", "config": { "level": "info", "message": "paged" } }] }))
        .await;
    let pushed = app.deliver("push", "d-1", r#"{"who":"mona"}"#).await.expect(200).json();
    let root_id = pushed["eventId"].as_str().unwrap();
    app.outcome(root_id).await;
    let alert = eventually("the alert is there", async || {
        let list = app.http.get("/api/events?type=custom.alert").await.expect(200).json();
        list["items"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    app.outcome(&alert).await;

    let path = format!("/api/events/{alert}/trace");
    let trace = eventually("the request is captured", async || {
        let trace = app.http.get(&path).await.expect(200).json();
        (trace["root"]["kind"] == "request").then_some(trace)
    })
    .await;
    assert_eq!(trace["eventId"], alert.as_str());
    assert_eq!(trace["rootEventId"], root_id);
    assert_eq!(trace["truncated"], false);
    let event = child(&trace["root"], "event");
    assert_eq!((&event["id"], &event["status"]), (&json!(root_id), &json!("completed")));
    assert!(event["durationMs"].as_f64().unwrap() >= 0.0);
    let executions = event["children"].as_array().unwrap();
    let labels: Vec<(&Value, &Value, &Value)> = executions
        .iter()
        .map(|e| (&e["label"], &e["status"], &e["details"]["conditionsMatched"]))
        .collect();
    let (alarm, other) = (json!("alarm v1"), json!("other v1"));
    assert!(labels.contains(&(&alarm, &json!("success"), &json!(true))), "{labels:?}");
    assert!(labels.contains(&(&other, &json!("skipped"), &json!(false))), "{labels:?}");
    let alarm = executions.iter().find(|e| e["label"] == alarm).unwrap();
    let actions = alarm["children"].as_array().unwrap();
    assert_eq!(actions[0]["label"], "1. log");
    assert_eq!(actions[0]["children"], json!([]));
    assert_eq!(actions[1]["type"], "emit_event");
    let emitted = child(&actions[1], "event");
    assert_eq!(emitted["id"], alert.as_str(), "below the action that made it");
    let pager = child(emitted, "execution");
    assert_eq!(pager["label"], "pager v1");
    assert_eq!(child(pager, "action")["status"], "success");
    assert_eq!(trace["nodes"], 9, "{trace}");
    let same = app.http.get(&format!("/api/events/{root_id}/trace")).await.expect(200).json();
    assert_eq!(same["root"], trace["root"], "the tree is the same from everywhere");

    let acme = [("x-omni-org".to_owned(), "acme".to_owned())];
    app.http.send(Method::GET, &path, &acme, "").await.expect(404);
    app.http.get("/api/events/nonsense/trace").await.expect(404);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_is_one_tree_from_the_request_to_the_last_action() {
    on_both(tree).await;
}
