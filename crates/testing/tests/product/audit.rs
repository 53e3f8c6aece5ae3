//! The conservation audit from outside, and the commands that show it.

use omni_store::{Location, Store};
use omni_testing::{Database, Http, TestApp, eventually, on_both};
use serde_json::{Value, json};

use crate::process::{Process, omni};

/// What a command printed, with its exit code.
async fn run(server: &str, args: &[&str]) -> (Option<i32>, String) {
    let output = omni().args(["--server", server]).args(args).output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

async fn adds_up(database: Database) {
    let app = TestApp::start(database).await;
    app.add_automation(&json!({ "name": "fails", "triggerEventType": "custom.bad", "actions": [
        { "type": "webhook", "config": { "url": "http://127.0.0.1:9/" } }
    ] }))
    .await;
    for event_type in ["custom.good", "custom.good", "custom.bad"] {
        let id = app.trigger(event_type, &json!({})).await;
        app.outcome(&id).await;
    }
    for full in ["", "?full=true"] {
        let audit = eventually("everything is handled", async || {
            let audit = app.http.get(&format!("/api/audit{full}")).await.expect(200).json();
            (audit["orgs"][0]["inFlight"] == 0).then_some(audit)
        })
        .await;
        assert_eq!(audit["ok"], true, "{audit}");
        assert_eq!(audit["orgs"].as_array().unwrap().len(), 1);
        assert_eq!(audit["orgs"][0]["difference"], 0, "{audit}");
        if !full.is_empty() {
            // The event that tells of the dead letter is one, too.
            assert!(audit["orgs"][0]["accepted"].as_i64().unwrap() >= 3, "{audit}");
            assert_eq!(audit["orgs"][0]["failed"], 1, "{audit}");
        }
    }
    app.http.get("/api/audit?full=maybe").await.expect(400);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_accounts_of_a_healthy_server_add_up() {
    on_both(adds_up).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_finds_what_was_taken_out_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path()).await;
    let http = Http::new(&server.url);
    let body = json!({ "eventType": "custom.x", "payload": {} });
    let created = http.post("/api/events/trigger", &body).await.expect(201).json();
    let id = created["eventId"].as_str().unwrap().to_owned();
    eventually("the event is handled", async || {
        let event = http.get(&format!("/api/events/{id}")).await.expect(200).json();
        (event["outcome"]["status"] == "completed").then_some(())
    })
    .await;
    let folder = dir.path().to_str().unwrap();
    let (code, told) = run(&server.url, &["doctor", "--data-dir", folder]).await;
    assert_eq!(code, Some(0), "{told}");
    for part in ["ok    server", "ok    bus", "sqlite", "ok    clocks", "GiB free", "difference 0"]
    {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
    server.signal("-TERM");
    assert_eq!(server.exit_code().await, Some(0));
    let store = Store::open(&Location::Sqlite(dir.path().join("omni.db"))).await.unwrap();
    store.run_sql("DELETE FROM omni_events").await;
    drop(store);

    let server = Process::start(dir.path()).await;
    let (code, told) = run(&server.url, &["doctor"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("fail  outcomes_without_event"), "{told}");
    assert!(told.contains(&id), "it names the event:\n{told}");
    let (code, told) = run(&server.url, &["doctor", "--full", "--output", "json"]).await;
    assert_eq!(code, Some(1));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["verdict"], "fail", "{told}");
    let url = server.url.clone();
    server.signal("-KILL");
    server.exit_code().await;
    let (code, told) = run(&url, &["doctor"]).await;
    assert_eq!(code, Some(1));
    assert!(told.contains("fail  server"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_schedules_cancels_and_draws() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path()).await;
    let create = ["event", "create", "--type", "custom.cli", "--payload", "{\"n\": 1.50}"];
    let json = ["--output", "json"];
    let later = [&create[..], &["--at", "+10m"], &json].concat();
    let (code, told) = run(&server.url, &later).await;
    assert_eq!(code, Some(0), "{told}");
    let created: Value = serde_json::from_str(&told).unwrap();
    assert!(created["scheduledAt"].is_string(), "{created}");
    let id = created["eventId"].as_str().unwrap();
    let (_, told) = run(&server.url, &["event", "list", "--status", "scheduled"]).await;
    assert!(told.contains(id), "{told}");
    let (code, told) = run(&server.url, &["event", "cancel", id]).await;
    assert_eq!((code, told.trim()), (Some(0), format!("event {id} cancelled").as_str()));
    assert_eq!(run(&server.url, &[&create[..], &["--at", "later"]].concat()).await.0, Some(2));

    let (_, told) = run(&server.url, &[&create[..], &json].concat()).await;
    let created: Value = serde_json::from_str(&told).unwrap();
    let id = created["eventId"].as_str().unwrap();
    assert_eq!(run(&server.url, &["event", "cancel", id]).await.0, Some(4), "it has happened");
    let (code, told) = run(&server.url, &["event", "trace", id]).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("custom.cli") && told.contains("← asked for"), "{told}");
    let (code, told) = run(&server.url, &[&["event", "info", id], &json[..]].concat()).await;
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(r#""payload":{"n": 1.50}"#), "as it was sent: {told}");
    assert!(told.contains(r#""executions":{"items":[]"#), "{told}");
}
