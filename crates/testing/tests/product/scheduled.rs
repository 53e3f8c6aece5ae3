//! Events that are triggered for later: shown while they wait, cancelled, fired at their time.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::Method;
use omni_proto as pb;
use omni_testing::{Database, Reply, TestApp, on_both};
use serde_json::{Value, json};
use tonic::{Code, transport::Channel};

fn at(later: TimeDelta) -> String {
    (now() + later).to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[expect(clippy::disallowed_methods, reason = "the server under test has the clock of the machine")]
fn now() -> DateTime<Utc> {
    Utc::now()
}

async fn trigger(app: &TestApp, key: &str, payload: &Value, scheduled_at: &str) -> Reply {
    let body =
        json!({ "eventType": "custom.later", "payload": payload, "scheduledAt": scheduled_at });
    let headers = [
        ("content-type".to_owned(), "application/json".to_owned()),
        ("idempotency-key".to_owned(), key.to_owned()),
    ];
    app.http.send(Method::POST, "/api/events/trigger", &headers, body.to_string()).await
}

async fn waiting(app: &TestApp, status: &str) -> Vec<Value> {
    let path = format!("/api/events?status={status}");
    let list = app.http.get(&path).await.expect(200).json();
    list["items"].as_array().unwrap().clone()
}

async fn waits_and_is_cancelled(database: Database) {
    let app = TestApp::start(database).await;
    let later = at(TimeDelta::hours(2));
    let first = trigger(&app, "k-1", &json!({ "n": 1 }), &later).await.expect(201).json();
    assert_eq!(first["sequence"], Value::Null, "{first}");
    assert_eq!(first["scheduledAt"], later.as_str());
    let again = trigger(&app, "k-1", &json!({ "n": 1 }), &later).await.expect(201).json();
    assert_eq!(again, first, "a repeat answers as the first did");
    let other = trigger(&app, "k-1", &json!({ "n": 2 }), &later).await.expect(409).json();
    assert_eq!(other["code"], "OM0008", "{other}");
    let moved = trigger(&app, "k-1", &json!({ "n": 1 }), &at(TimeDelta::hours(3))).await;
    assert_eq!(moved.expect(409).json()["code"], "OM0008", "another time is another request");

    let path = format!("/api/events/{}", first["eventId"].as_str().unwrap());
    let event = app.http.get(&path).await.expect(200).json();
    assert_eq!(event["outcome"]["status"], "scheduled", "{event}");
    assert_eq!(event["payload"], json!({ "n": 1 }));
    assert_eq!((&event["scheduledAt"], &event["time"]), (&json!(later), &json!(later)));
    let sooner =
        trigger(&app, "k-2", &json!({}), &at(TimeDelta::hours(1))).await.expect(201).json();
    let listed = waiting(&app, "scheduled").await;
    let ids: Vec<&Value> = listed.iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, [&sooner["eventId"], &first["eventId"]], "the one that is due first first");
    let page = app.http.get("/api/events?status=scheduled&limit=1").await.expect(200).json();
    let cursor = page["nextCursor"].as_str().unwrap();
    let next = format!("/api/events?status=scheduled&limit=1&cursor={cursor}");
    let next = app.http.get(&next).await.expect(200).json();
    assert_eq!(next["items"][0]["id"], first["eventId"], "{next}");
    app.http.get(&format!("/api/events?status=cancelled&cursor={cursor}")).await.expect(400);
    app.http.get("/api/events?status=scheduled&source=api").await.expect(400);

    let acme = [("x-omni-org".to_owned(), "acme".to_owned())];
    app.http.send(Method::GET, &path, &acme, "").await.expect(404);
    let cancel = format!("{path}/cancel");
    app.http.send(Method::POST, &cancel, &acme, "").await.expect(404);
    for _ in 0..2 {
        let cancelled = app.http.send(Method::POST, &cancel, &[], "").await.expect(200).json();
        assert_eq!(cancelled["outcome"]["status"], "cancelled", "{cancelled}");
    }
    assert_eq!(waiting(&app, "scheduled").await.len(), 1);
    assert_eq!(waiting(&app, "cancelled").await[0]["id"], first["eventId"]);
    assert_eq!(app.http.get(&path).await.expect(200).json()["outcome"]["status"], "cancelled");
    let repeated = trigger(&app, "k-1", &json!({ "n": 1 }), &later).await.expect(201).json();
    assert_eq!(repeated, first, "a repeat does not bring it back");
    assert_eq!(waiting(&app, "scheduled").await.len(), 1);
    let far = trigger(&app, "k-3", &json!({}), &at(TimeDelta::days(367))).await.expect(400).json();
    assert_eq!(far["errors"][0]["pointer"], "/scheduledAt", "{far}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_later_waits_and_can_be_cancelled() {
    on_both(waits_and_is_cancelled).await;
}

async fn fires(database: Database) {
    let mut app = TestApp::start(database).await;
    app.add_automation(&json!({ "name": "sees", "triggerEventType": "custom.later", "actions": [
        { "type": "log", "config": { "level": "info", "message": "{{ payload.n }}" } }
    ] }))
    .await;
    let past = at(TimeDelta::hours(-1));
    let at_once = trigger(&app, "k-1", &json!({ "n": 1 }), &past).await.expect(201).json();
    let id = |answer: &Value| answer["eventId"].as_str().unwrap().to_owned();
    let happened = async |app: &TestApp, id: &str| {
        let path = format!("/api/events/{id}");
        omni_testing::eventually("the event has happened and was handled", async || {
            let event = app.http.get(&path).await.expect(200).json();
            (event["outcome"]["status"] == "completed").then_some(event)
        })
        .await
    };
    let event = happened(&app, &id(&at_once)).await;
    assert_eq!(event["time"], past.as_str());
    assert!(event["sequence"].as_i64().unwrap() > 0, "{event}");
    assert_eq!(event.get("scheduledAt"), None, "{event}");
    let cancel = format!("/api/events/{}/cancel", id(&at_once));
    let late = app.http.send(Method::POST, &cancel, &[], "").await.expect(409).json();
    assert_eq!(late["code"], "OM0018", "{late}");
    let again = trigger(&app, "k-1", &json!({ "n": 1 }), &past).await.expect(201).json();
    assert_eq!(again, at_once, "a repeat answers as the first did, also afterwards");

    let soon = trigger(&app, "k-2", &json!({ "n": 2 }), &at(TimeDelta::milliseconds(400))).await;
    let soon = soon.expect(201).json();
    app.restart().await;
    happened(&app, &id(&soon)).await;
    assert_eq!(app.executions(&id(&soon)).await.len(), 1);
    assert!(waiting(&app, "scheduled").await.is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_for_later_happens_once_also_after_a_restart() {
    on_both(fires).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_schedules_cancels_and_traces() {
    let app = TestApp::start(Database::Embedded).await;
    let channel = Channel::from_shared(app.url.clone()).unwrap().connect().await.unwrap();
    let mut events = pb::event_service_client::EventServiceClient::new(channel.clone());
    let later = (now() + TimeDelta::hours(1)).timestamp();
    let request = |at: Option<i64>| pb::TriggerEventRequest {
        event_type: "custom.later".into(),
        scheduled_at: at.map(|seconds| pb::Timestamp { seconds, nanos: 0 }),
        ..Default::default()
    };
    let triggered = events.trigger(request(Some(later))).await.unwrap().into_inner();
    assert_eq!((triggered.sequence, triggered.scheduled_at.unwrap().seconds), (0, later));
    let id = triggered.event_id;
    let got = events.get(pb::GetEventRequest { id: id.clone() }).await.unwrap().into_inner();
    let got = got.event.unwrap();
    assert_eq!(got.outcome.unwrap().status, "scheduled");
    assert_eq!(got.scheduled_at.unwrap().seconds, later);
    let list = pb::ListEventsRequest { status: "scheduled".into(), ..Default::default() };
    assert_eq!(events.list(list).await.unwrap().into_inner().events[0].id, id);
    let cancelled = events.cancel(pb::CancelEventRequest { id }).await.unwrap().into_inner();
    assert_eq!(cancelled.event.unwrap().outcome.unwrap().status, "cancelled");

    let id = events.trigger(request(None)).await.unwrap().into_inner().event_id;
    let late = events.cancel(pb::CancelEventRequest { id: id.clone() }).await.unwrap_err();
    assert_eq!(late.code(), Code::FailedPrecondition);
    let trace = events.trace(pb::TraceEventRequest { id: id.clone() }).await.unwrap().into_inner();
    let trace: Value = serde_json::from_slice(&trace.document).unwrap();
    assert_eq!(trace["rootEventId"], id.as_str());
    let mut admin = pb::admin_service_client::AdminServiceClient::new(channel);
    let audit = admin.audit(pb::AuditRequest { full: true }).await.unwrap().into_inner();
    let audit: Value = serde_json::from_slice(&audit.document).unwrap();
    assert_eq!(audit["orgs"][0]["accepted"], 1, "{audit}");
    app.finish().await;
}
