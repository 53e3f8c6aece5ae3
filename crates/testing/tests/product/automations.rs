//! Automations: conditions, priority, order, failures, switching off, versions.

use omni_testing::{Database, Receiver, TestApp};
use serde_json::{Value, json};

fn log() -> Value {
    json!({ "type": "log", "config": { "level": "info", "message": "done" } })
}

/// Every operator, on a dotted path and on JSONPath, once true and once false.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_decide_with_every_operator() {
    let app = TestApp::start(Database::Embedded).await;
    let cases = [
        ("payload.kind", "eq", json!("order"), true),
        ("payload.kind", "neq", json!("order"), false),
        ("payload.total", "gt", json!(10), true),
        ("payload.total", "lt", json!(10), false),
        ("payload.tags", "contains", json!("vip"), true),
        ("payload.name", "contains", json!("zz"), false),
        ("payload.name", "startsWith", json!("Mo"), true),
        ("payload.name", "matches", json!("^M.na$"), true),
        ("payload.name", "matches", json!("^m"), false),
        ("$.payload.items[0].sku", "eq", json!("A-1"), true),
        ("$.payload.items[*].sku", "eq", json!("B-2"), true),
        ("$.payload.items[?@.qty > 5].sku", "exists", json!(true), false),
        ("metadata.channelType", "eq", json!("whatsapp"), true),
        ("source", "eq", json!("api"), true),
        ("source", "eq", json!("webhook:github"), false),
    ];
    let mut ids = Vec::new();
    for (index, (field, operator, value, _)) in cases.iter().enumerate() {
        let definition = json!({
            "name": format!("case-{index:02}"), "triggerEventType": "custom.order.*",
            "triggerConditions": [{ "field": field, "operator": operator, "value": value }],
            "actions": [log()], "priority": 100 - i32::try_from(index).unwrap(),
        });
        ids.push(app.add_automation(&definition).await);
    }
    let body = json!({
        "eventType": "custom.order.paid",
        "payload": { "kind": "order", "total": 12.5, "tags": ["new", "vip"], "name": "Mona", "items": [{ "sku": "A-1", "qty": 1 }, { "sku": "B-2", "qty": 2 }] },
        "metadata": { "channelType": "whatsapp", "instanceId": "wa-001" }
    });
    let id = app.http.post("/api/events/trigger", &body).await.expect(201).json()["eventId"]
        .as_str()
        .unwrap()
        .to_owned();
    let outcome = app.outcome(&id).await;
    let holding = cases.iter().filter(|case| case.3).count();
    assert_eq!(outcome["outcome"]["executions"], holding, "{outcome}");
    let executions = app.executions(&id).await;
    for (automation, case) in ids.iter().zip(&cases) {
        let is_its_own = |execution: &&Value| execution["automationId"] == automation.as_str();
        let execution = executions.iter().find(is_its_own).unwrap();
        assert_eq!(execution["conditionsMatched"], case.3, "{case:?}: {execution}");
        assert_eq!(execution["status"], if case.3 { "success" } else { "skipped" }, "{case:?}");
    }
    app.finish().await;
}

async fn failures_and_order(database: Database) {
    let app = TestApp::start(database).await;
    let receiver = Receiver::start().await;
    let hook = |path: &str| json!({ "type": "webhook", "config": { "url": receiver.url(path) } });
    let mut failing = hook("/fails");
    failing["onError"] = json!("stop");
    app.add_automation(&json!({ "name": "goes-on", "triggerEventType": "custom.x", "priority": 10, "actions": [hook("/first"), hook("/second"), log()] })).await;
    app.add_automation(&json!({ "name": "stops", "triggerEventType": "custom.x", "priority": 5, "actions": [failing, log()] })).await;

    receiver.answer_next(&[200, 500, 404]);
    let id = app.trigger("custom.x", &json!({})).await;
    let event = app.outcome(&id).await;
    assert_eq!(event["outcome"]["status"], "failed");
    let paths: Vec<_> = receiver.wait_for(3).await.iter().map(|r| r.path.clone()).collect();
    assert_eq!(paths, ["/first", "/second", "/fails"], "priority and order");
    let statuses = |execution: &Value| -> Vec<String> {
        execution["actionsExecuted"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["status"].as_str().unwrap().to_owned())
            .collect()
    };
    let executions = app.executions(&id).await;
    assert_eq!(
        statuses(&executions[0]),
        ["success", "failed", "success"],
        "a failure does not stop the others"
    );
    assert_eq!(statuses(&executions[1]), ["failed", "skipped"], "unless it says stop");
    assert_eq!(executions[0]["status"], "failed");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_run_in_order_by_priority_and_failures_are_logged() {
    failures_and_order(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn actions_run_in_order_by_priority_and_failures_are_logged_on_postgres() {
    failures_and_order(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_action_is_tried_again_as_its_policy_says() {
    let app = TestApp::start(Database::Embedded).await;
    let receiver = Receiver::start().await;
    app.add_automation(&json!({ "name": "tries", "triggerEventType": "custom.x", "actions": [
        { "type": "webhook", "config": { "url": receiver.url("/") }, "retry": { "maxAttempts": 3, "initialDelayMs": 1, "strategy": "fixed" } }
    ] })).await;
    receiver.answer_next(&[503, 503]);
    let id = app.trigger("custom.x", &json!({})).await;
    let execution = app.executions(&id).await.remove(0);
    assert_eq!(execution["status"], "success", "{execution}");
    assert_eq!(execution["actionsExecuted"][0]["attempts"], 3);
    let keys: Vec<_> =
        receiver.received().iter().map(|r| r.header("idempotency-key").to_owned()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.iter().all(|key| *key == keys[0]), "every attempt has the same key: {keys:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_in_force_at_once_and_old_versions_stay() {
    let mut app = TestApp::start(Database::Embedded).await;
    let definition = |message: &str| json!({ "name": "changes", "triggerEventType": "custom.x", "actions": [{ "type": "log", "config": { "level": "info", "message": message } }] });
    let id = app.add_automation(&definition("one")).await;
    let path = format!("/api/automations/{id}");
    let logged = async |app: &TestApp| {
        let event = app.trigger("custom.x", &json!({})).await;
        let executions = app.executions(&event).await;
        executions.first().map(|e| {
            (e["automationVersion"].clone(), e["actionsExecuted"][0]["result"]["logged"].clone())
        })
    };
    assert_eq!(logged(&app).await, Some((json!(1), json!("one"))));
    app.http.put(&path, &definition("two")).await.expect(200);
    assert_eq!(logged(&app).await, Some((json!(2), json!("two"))));

    app.http.post(&format!("{path}/disable"), &json!({})).await.expect(200);
    assert_eq!(logged(&app).await, None);
    app.restart().await;
    assert_eq!(logged(&app).await, None, "off stays off");
    app.http.post(&format!("{path}/enable"), &json!({})).await.expect(200);
    assert_eq!(logged(&app).await.unwrap().1, json!("two"));

    let logs = app.http.get(&format!("{path}/logs")).await.expect(200).json();
    assert_eq!(logs["items"].as_array().unwrap().len(), 3, "{logs}");
    let by_type = app.http.get("/api/automations/logs?eventType=custom.x").await.expect(200).json();
    assert_eq!(by_type["items"].as_array().unwrap().len(), 3, "{by_type}");
    app.http.delete(&path).await.expect(204);
    app.http.get(&path).await.expect(404);
    assert_eq!(logged(&app).await, None);
    app.finish().await;
}

/// Slow actions of one automation do not hold up the events of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_action_holds_up_nobody_else() {
    let app = TestApp::start(Database::Embedded).await;
    let slow = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/never-answers", slow.local_addr().unwrap());
    app.add_automation(&json!({ "name": "slow", "triggerEventType": "custom.slow", "actions": [{ "type": "webhook", "config": { "url": url }, "timeoutMs": 6000 }] })).await;
    app.add_automation(
        &json!({ "name": "quick", "triggerEventType": "custom.quick", "actions": [log()] }),
    )
    .await;
    let mut slow_ones = Vec::new();
    for _ in 0..20 {
        slow_ones.push(app.trigger("custom.slow", &json!({})).await);
    }
    let quick = app.trigger("custom.quick", &json!({})).await;
    assert_eq!(app.outcome(&quick).await["outcome"]["status"], "completed");
    let still = app.http.get(&format!("/api/events/{}", slow_ones[0])).await.expect(200).json();
    assert!(
        still["outcome"].is_null() || still["outcome"]["status"] == "pending",
        "the slow one is still running: {still}"
    );
    assert_eq!(app.outcome(&slow_ones[0]).await["outcome"]["status"], "failed");
    app.finish().await;
}
