//! Replays through the API: a plan does nothing, effects that succeeded stay alone unless asked, one automation may be
//! meant, and a replay survives a restart.

use omni_testing::{Database, Receiver, TestApp, eventually, on_both};
use serde_json::{Value, json};

async fn start(app: &TestApp, request: &Value, status: u16) -> Value {
    app.http.post("/api/replays", request).await.expect(status).json()
}

/// Begins a replay and answers its id.
async fn run(app: &TestApp, request: &Value) -> String {
    let mut request = request.clone();
    request["dryRun"] = json!(false);
    start(app, &request, 202).await["id"].as_str().unwrap().to_owned()
}

async fn get(app: &TestApp, id: &str) -> Value {
    app.http.get(&format!("/api/replays/{id}")).await.expect(200).json()
}

async fn ended(app: &TestApp, id: &str) -> Value {
    eventually("the replay ends", async || {
        let replay = get(app, id).await;
        (!replay["finishedAt"].is_null()).then_some(replay)
    })
    .await
}

/// What replays have brought back, oldest first, without what tells of them.
async fn back(app: &TestApp) -> Vec<Value> {
    let list = app.http.get("/api/events?order=asc&limit=500").await.expect(200);
    let mut items = list.json()["items"].as_array().cloned().unwrap();
    items.retain(|event| !event["metadata"]["replayOf"].is_null());
    items
}

/// A webhook that is received and then one more, which may fail.
fn two_webhooks(name: &str, receiver: &Receiver) -> Value {
    let action = |path: &str| json!({ "type": "webhook", "config": { "url": receiver.url(path) } });
    let actions = [action(&format!("/{name}/first")), action(&format!("/{name}/second"))];
    json!({ "name": name, "triggerEventType": "custom.order.paid", "actions": actions })
}

fn calls(receiver: &Receiver, path: &str) -> Vec<String> {
    let all = receiver.received();
    let those = all.iter().filter(|call| call.path == path);
    those.map(|call| call.header("idempotency-key").to_owned()).collect()
}

async fn scopes_and_effects(database: Database) {
    let app = TestApp::start(database).await;
    let receiver = Receiver::start().await;
    let one = app.add_automation(&two_webhooks("one", &receiver)).await;
    let two = app.add_automation(&two_webhooks("two", &receiver)).await;
    let mut events = Vec::new();
    for n in 0..3 {
        let event = app.trigger("custom.order.paid", &json!({ "n": n, "total": 1.5 })).await;
        assert_eq!(app.outcome(&event).await["outcome"]["executions"], 2);
        events.push(event);
    }
    app.trigger("custom.other", &json!({})).await;
    app.settled().await;
    let before = receiver.received().len();
    assert_eq!(before, 12);

    // A dry run, which is what happens unless it is said otherwise.
    let request = json!({ "types": ["custom.order.*"], "automationId": one, "ratePerSecond": 100 });
    let plan = start(&app, &request, 200).await;
    assert_eq!((&plan["dryRun"], &plan["total"]), (&json!(true), &json!(3)));
    assert_eq!(plan["byType"], json!([{ "type": "custom.order.paid", "events": 3 }]));
    assert_eq!((&plan["alreadySucceeded"], &plan["estimatedSeconds"]), (&json!(3), &json!(0.1)));
    assert_eq!(app.http.get("/api/replays").await.expect(200).json()["items"], json!([]));
    assert!(back(&app).await.is_empty());

    // Everything has succeeded, so nothing happens again, and the executions say so.
    let id = run(&app, &request).await;
    let replay = ended(&app, &id).await;
    assert_eq!((&replay["status"], &replay["done"]), (&json!("completed"), &json!(3)), "{replay}");
    app.settled().await;
    let replayed = back(&app).await;
    let origins: Vec<&str> =
        replayed.iter().map(|event| event["metadata"]["replayOf"].as_str().unwrap()).collect();
    assert_eq!(origins, events);
    for event in &replayed {
        assert_eq!(event["metadata"]["replay"]["id"], id, "{event}");
        let executions = app.executions(event["id"].as_str().unwrap()).await;
        assert_eq!(executions.len(), 1, "only the one automation sees it");
        assert_eq!(executions[0]["automationId"], one);
        let results = &executions[0]["actionsExecuted"];
        assert_eq!(
            (&results[0]["status"], &results[0]["attempts"]),
            (&json!("success"), &json!(0))
        );
    }
    assert_eq!(receiver.received().len(), before);

    // Asked to, they happen again, under keys of their own.
    let mut again = request.clone();
    again["repeatEffects"] = json!(true);
    assert_eq!(start(&app, &again, 200).await["alreadySucceeded"], Value::Null);
    ended(&app, &run(&app, &again).await).await;
    app.settled().await;
    assert_eq!(receiver.received().len(), before + 6);
    let mut keys = calls(&receiver, "/one/first");
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6, "no key twice");
    assert_eq!(calls(&receiver, "/two/first").len(), 3);

    // What failed is done, under the key it had; what succeeded beside it is not.
    receiver.answer_next(&[200, 400]);
    let body = json!({ "repeatEffects": true, "automationId": two });
    let path = format!("/api/events/{}/replay", events[0]);
    let single = app.http.post(&path, &body).await.expect(201).json();
    let event = single["eventId"].as_str().unwrap();
    assert_eq!(app.outcome(event).await["outcome"]["status"], "failed");
    assert_eq!(app.outcome(event).await["metadata"]["replayOf"], events[0]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_aimed_planned_and_repeats_no_effect_unless_asked() {
    on_both(scopes_and_effects).await;
}

async fn failures(database: Database) {
    let app = TestApp::start(database).await;
    let receiver = Receiver::start().await;
    app.add_automation(&two_webhooks("one", &receiver)).await;
    receiver.answer_next(&[200, 400]);
    let event = app.trigger("custom.order.paid", &json!({})).await;
    assert_eq!(app.outcome(&event).await["outcome"]["status"], "failed");
    let well = app.trigger("custom.order.paid", &json!({})).await;
    assert_eq!(app.outcome(&well).await["outcome"]["status"], "completed");

    let failed = json!({ "types": ["custom.order.paid"], "status": "failed" });
    assert_eq!(start(&app, &failed, 200).await["total"], 1);
    ended(&app, &run(&app, &failed).await).await;
    app.settled().await;
    let again = back(&app).await;
    assert_eq!(again[0]["outcome"]["status"], "completed", "{again:?}");
    assert_eq!(calls(&receiver, "/one/first").len(), 2, "it had succeeded");
    let keys = calls(&receiver, "/one/second");
    assert_eq!(keys.len(), 3);
    assert_eq!(keys[0], keys[2], "the effect that failed is tried under its own key");
    assert!(keys[0].starts_with(&event.replace('-', "")));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_events_are_replayed_and_only_what_failed_is_done() {
    on_both(failures).await;
}

async fn restart(database: Database) {
    let mut app = TestApp::start(database).await;
    let mut events = Vec::new();
    for n in 0..60 {
        events.push(app.trigger("custom.order.paid", &json!({ "n": n })).await);
    }
    let request = json!({ "types": ["custom.order.paid"], "ratePerSecond": 40 });
    let id = run(&app, &request).await;
    for reached in [5, 30] {
        eventually("some have come back", async || {
            (get(&app, &id).await["done"].as_u64()? >= reached).then_some(())
        })
        .await;
        app.restart().await;
        assert!(get(&app, &id).await["done"].as_u64().unwrap() < 60, "it was interrupted");
    }
    let replay = ended(&app, &id).await;
    assert_eq!((&replay["status"], &replay["done"]), (&json!("completed"), &json!(60)), "{replay}");
    let back = back(&app).await;
    let origins: Vec<&str> =
        back.iter().map(|event| event["metadata"]["replayOf"].as_str().unwrap()).collect();
    assert_eq!(origins, events, "each once, in their order");
    for (event_type, count) in [("system.replay.started", 1), ("system.replay.completed", 1)] {
        let told = app.http.get(&format!("/api/events?type={event_type}")).await.expect(200).json();
        let told = told["items"].as_array().cloned().unwrap();
        assert_eq!(told.len(), count, "{told:?}");
        assert_eq!(
            (&told[0]["payload"]["replayId"], &told[0]["payload"]["events"]),
            (&json!(id), &json!(60))
        );
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_goes_on_after_a_restart_and_brings_back_each_event_once() {
    on_both(restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_is_cancelled_and_listed() {
    let app = TestApp::start(Database::Embedded).await;
    for n in 0..100 {
        app.trigger("custom.order.paid", &json!({ "n": n })).await;
    }
    let id = run(&app, &json!({ "types": ["custom.>"], "ratePerSecond": 5 })).await;
    eventually("the first have come back", async || {
        (get(&app, &id).await["done"].as_u64()? >= 1).then_some(())
    })
    .await;
    app.http.post(&format!("/api/replays/{id}/cancel"), &json!({})).await.expect(200);
    let replay = ended(&app, &id).await;
    assert_eq!((&replay["status"], &replay["total"]), (&json!("cancelled"), &json!(100)));
    assert!(replay["done"].as_u64().unwrap() < 100);
    assert_eq!(back(&app).await.len() as u64, replay["done"].as_u64().unwrap());
    // It stays cancelled, and one that is completed cannot be.
    app.http.post(&format!("/api/replays/{id}/cancel"), &json!({})).await.expect(200);
    let other = run(&app, &json!({ "types": ["custom.none"] })).await;
    ended(&app, &other).await;
    let late = app.http.post(&format!("/api/replays/{other}/cancel"), &json!({})).await.expect(409);
    assert_eq!(late.json()["code"], "OM0018");
    let first = app.http.get("/api/replays?limit=1").await.expect(200).json();
    assert_eq!(first["items"][0]["id"], other);
    let cursor = first["nextCursor"].as_str().unwrap();
    let next =
        app.http.get(&format!("/api/replays?limit=1&cursor={cursor}")).await.expect(200).json();
    assert_eq!((&next["items"][0]["id"], &next["nextCursor"]), (&json!(id), &Value::Null));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_replay_cannot_do_is_refused_with_a_reason() {
    let app = TestApp::start(Database::Embedded).await;
    let event = app.trigger("custom.order.paid", &json!({})).await;
    let off = app
        .add_automation(
            &json!({ "name": "sleeper", "triggerEventType": "custom.>", "enabled": false,
        "actions": [{ "type": "log", "config": { "level": "info", "message": "m" } }] }),
        )
        .await;
    let nobody = "01900000-0000-7000-8000-000000000000";
    for (request, pointer, says) in [
        (json!({ "automationId": nobody }), "/automationId", "there is no automation"),
        (json!({ "automationId": off }), "/automationId", "`sleeper` is off"),
        (json!({ "typ": ["custom.a"] }), "/typ", "unknown"),
        (json!({ "types": ["nonsense"] }), "/types/0", "nonsense"),
        (json!({ "ids": [event], "source": "api" }), "/ids", "not both"),
        (json!({ "ratePerSecond": 0 }), "/ratePerSecond", "1 to"),
        (
            json!({ "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z" }),
            "/to",
            "not after",
        ),
    ] {
        let problem = start(&app, &request, 400).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(says), "{problem}");
    }
    let path = format!("/api/events/{event}/replay");
    app.http.post(&path, &json!({ "automationId": nobody })).await.expect(400);
    app.http.post(&format!("/api/events/{nobody}/replay"), &json!({})).await.expect(404);
    app.http.get(&format!("/api/replays/{nobody}")).await.expect(404);
    app.http.post(&format!("/api/replays/{nobody}/cancel"), &json!({})).await.expect(404);
    app.finish().await;
}
