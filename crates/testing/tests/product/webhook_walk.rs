//! The main job: a signed webhook comes in, a rule fires, things happen, and one can see it.

use omni_testing::{Bus, Database, Receiver, TestApp, github};
use serde_json::json;

/// Odd blanks, a big integer, a number with a trailing zero, an escape: what a reformatter would change.
const ODD_BODY: &str = "{ \"ref\" :\t\"refs/heads/main\",\n \"size\": 9007199254740993, \"rate\": 1.50, \"n\": \"\\u00e9\" }";

async fn walk(database: Database, bus: Bus) {
    let app = TestApp::start_over(database, bus).await;
    let receiver = Receiver::start().await;
    app.add_github().await;
    let automation = app
        .add_automation(&json!({
            "name": "main-pushed",
            "triggerEventType": "custom.webhook.github.push",
            "triggerConditions": [
                { "field": "payload.ref", "operator": "eq", "value": "refs/heads/main" },
                { "field": "$.payload.commits[*].modified[*]", "operator": "endsWith", "value": ".rs" }
            ],
            "actions": [
                { "type": "log", "config": { "level": "info", "message": "{{ payload.pusher.name }} pushed" } },
                { "type": "emit_event", "config": {
                    "eventType": "custom.main.pushed",
                    "payload": { "size": "{{ payload.repository.size }}", "logged": "{{ actions[0].result.logged }}" } } },
                { "type": "webhook", "config": { "url": receiver.url("/hook"), "body": { "emitted": "{{ actions[1].result.eventId }}" } } }
            ]
        }))
        .await;

    let body = github::push("main").to_string();
    let reply = app.deliver("push", "delivery-1", &body).await.expect(200).json();
    assert_eq!(reply["acknowledged"], true);
    let id = reply["eventId"].as_str().unwrap().to_owned();

    let event = app.outcome(&id).await;
    assert_eq!(event["type"], "custom.webhook.github.push");
    assert_eq!(event["source"], "webhook:github");
    assert_eq!(event["metadata"]["providerEventId"], "delivery-1");
    assert_eq!(event["outcome"]["status"], "completed");
    assert_eq!(event["outcome"]["executions"], 1);

    let executions = app.executions(&id).await;
    let [execution] = executions.as_slice() else { panic!("{executions:?}") };
    assert_eq!(execution["automationId"], automation);
    assert_eq!(execution["status"], "success");
    assert_eq!(execution["conditionsMatched"], true);
    let actions = execution["actionsExecuted"].as_array().unwrap();
    let kinds: Vec<_> = actions.iter().map(|a| a["action"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["log", "emit_event", "webhook"]);
    assert!(actions.iter().all(|a| a["status"] == "success" && a["attempts"] == 1), "{actions:?}");

    let emitted = actions[1]["result"]["eventId"].as_str().unwrap();
    let child = app.outcome(emitted).await;
    assert_eq!(
        child["payload"],
        json!({ "size": 9_007_199_254_740_993_u64, "logged": "mona pushed" })
    );
    assert_eq!(child["metadata"]["causationId"], id);
    assert_eq!(child["metadata"]["correlationId"], event["metadata"]["correlationId"]);
    assert_eq!(child["metadata"]["hops"], 1);

    let [got] = <[_; 1]>::try_from(receiver.wait_for(1).await).unwrap();
    assert_eq!(got.json(), json!({ "emitted": emitted }));
    assert!(!got.header("idempotency-key").is_empty());
    assert_eq!(got.header("x-omni-event-id"), id);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_push_fires_a_rule_and_has_three_effects() {
    walk(Database::Embedded, Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_push_fires_a_rule_and_has_three_effects_on_postgres() {
    walk(Database::Postgres, Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_push_fires_a_rule_and_has_three_effects_on_nats() {
    walk(Database::Embedded, Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_push_fires_a_rule_and_has_three_effects_on_postgres_and_nats() {
    walk(Database::Postgres, Bus::Nats).await;
}

async fn bytes_and_repeats(database: Database) {
    let mut app = TestApp::start(database).await;
    app.add_github().await;
    let first = app.deliver("push", "same-id", ODD_BODY).await.expect(200).json();
    let id = first["eventId"].as_str().unwrap().to_owned();
    let text = app.http.get(&format!("/api/events/{id}")).await.expect(200).text();
    assert!(text.contains(ODD_BODY), "the payload was reformatted: {text}");

    for _ in 0..3 {
        assert_eq!(app.deliver("push", "same-id", ODD_BODY).await.expect(200).json(), first);
    }
    app.restart().await;
    assert_eq!(app.deliver("push", "same-id", ODD_BODY).await.expect(200).json(), first);
    app.deliver("push", "same-id", r#"{"another":"body"}"#).await.expect(409);

    let list = app.http.get("/api/events?type=custom.webhook.%3E").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    let raw = app.http.get(&format!("/api/events/{id}/payloads")).await.expect(200).text();
    assert!(raw.contains("webhook_raw") && raw.contains("x-github-delivery"), "{raw}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_stays_byte_for_byte_and_a_repeat_is_answered_as_the_first() {
    bytes_and_repeats(Database::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_stays_byte_for_byte_and_a_repeat_is_answered_as_the_first_on_postgres() {
    bytes_and_repeats(Database::Postgres).await;
}

/// Many at once with one id are one event, whoever wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_repeats_are_one_event() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    let body = github::push("main").to_string();
    let replies = futures_util::future::join_all((0..100).map(|n| {
        let app = &app;
        let body = &body;
        async move {
            let delivery = format!("delivery-{}", n % 5);
            (n % 5, app.deliver("push", &delivery, body).await.expect(200).json())
        }
    }))
    .await;
    for (n, reply) in &replies {
        let (_, first) = replies.iter().find(|(m, _)| m == n).unwrap();
        assert_eq!(reply, first);
    }
    let stats = app.http.get("/api/stats").await.expect(200).json();
    assert_eq!(stats["events"], 5, "{stats}");
    app.finish().await;
}

/// The path of an organisation leads to a source of that organisation only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn organisations_do_not_see_each_other() {
    let app = TestApp::start(Database::Embedded).await;
    let acme = vec![
        ("x-omni-org".to_owned(), "acme".to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let source = json!({ "name": "github", "kind": "webhook", "provider": "github", "secret": omni_testing::SECRET });
    app.http.send(http::Method::POST, "/api/sources", &acme, source.to_string()).await.expect(201);

    let body = github::push("main").to_string();
    let headers = github::headers(omni_testing::SECRET, "push", "d-1", body.as_bytes());
    app.http.send(http::Method::POST, "/webhooks/github", &headers, body.clone()).await.expect(404);
    let path = "/api/orgs/acme/eventhook/in/github";
    let reply = app.http.send(http::Method::POST, path, &headers, body).await.expect(200).json();

    let id = reply["eventId"].as_str().unwrap();
    app.http.get(&format!("/api/events/{id}")).await.expect(404);
    app.http.send(http::Method::GET, &format!("/api/events/{id}"), &acme, "").await.expect(200);
    app.finish().await;
}
