//! Starting, stopping, and what is there after a restart.

use omni_server::{Config, Server};
use omni_testing::{Bus, Database, TestApp};
use serde_json::json;

async fn restart(database: Database, bus: Bus) {
    let mut app = TestApp::start_over(database, bus).await;
    app.add_github().await;
    let automation = app.add_automation(&json!({ "name": "keeps", "triggerEventType": "custom.x", "actions": [{ "type": "log", "config": { "level": "info", "message": "m" } }] })).await;
    let before = app.trigger("custom.x", &json!({ "n": 1 })).await;
    app.outcome(&before).await;
    app.restart().await;
    assert_eq!(app.outcome(&before).await["payload"], json!({ "n": 1 }));
    app.http.get(&format!("/api/automations/{automation}")).await.expect(200);
    app.deliver("ping", "d-1", "{}").await.expect(200);
    let after = app.trigger("custom.x", &json!({ "n": 2 })).await;
    assert_eq!(app.executions(&after).await.len(), 1);
    assert_eq!(app.executions(&before).await.len(), 1, "a restart repeats nothing");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart() {
    restart(Database::Embedded, Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart_on_postgres() {
    restart(Database::Postgres, Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart_on_nats() {
    restart(Database::Embedded, Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart_on_postgres_and_nats() {
    restart(Database::Postgres, Bus::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: dir.path().into(),
        listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let first = Server::start(config.clone()).await.unwrap();
    let error = Server::start(config.clone()).await.unwrap_err().to_string();
    assert!(error.contains("in use by another omni process"), "{error}");
    first.shutdown().await.unwrap();
    Server::start(config).await.unwrap().shutdown().await.unwrap();
}

/// Stopping while events pour in: what was acknowledged is handled, now or after the restart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing() {
    drain(Bus::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_under_load_loses_nothing_on_nats() {
    drain(Bus::Nats).await;
}

async fn drain(bus: Bus) {
    let mut app = TestApp::start_over(Database::Embedded, bus).await;
    let http = app.http.clone();
    let load = tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        loop {
            let body = json!({ "eventType": "custom.load", "payload": {} }).to_string();
            let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
            match http.try_send(http::Method::POST, "/api/events/trigger", &headers, body).await {
                Ok(reply) if reply.status == 201 => {
                    acknowledged.push(reply.json()["eventId"].as_str().unwrap().to_owned());
                }
                _ => return acknowledged,
            }
        }
    });
    app.trigger("custom.before", &json!({})).await;
    omni_testing::eventually("some events came in", async || {
        (app.http.get("/api/stats").await.json()["events"].as_u64()? > 20).then_some(())
    })
    .await;
    app.restart().await;
    let acknowledged = load.await.unwrap();
    assert!(acknowledged.len() >= 20);
    for id in acknowledged {
        assert_eq!(app.outcome(&id).await["outcome"]["status"], "completed");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manual_clock_stamps_events() {
    use omni_clock::{Clock as _, ManualClock};
    let clock = ManualClock::at_unix(1_800_000_000);
    let app = TestApp::start_on(Database::Embedded, std::sync::Arc::new(clock.clone())).await;
    let first = app.trigger("custom.x", &json!({})).await;
    clock.advance(std::time::Duration::from_hours(1));
    let second = app.trigger("custom.x", &json!({})).await;
    assert_eq!(app.outcome(&first).await["receivedAt"], "2027-01-15T08:00:00.000Z");
    assert_eq!(app.outcome(&second).await["receivedAt"], "2027-01-15T09:00:00.000Z");
    assert_eq!(clock.now().timestamp(), 1_800_003_600);
    app.finish().await;
}
