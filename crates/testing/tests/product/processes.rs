//! The binary as a process of its own: signals, the demo, the command line, two at once.

use omni_store::{Location, testing};
use omni_testing::{Http, NatsServer, PATIENCE, Receiver};
use serde_json::{Value, json};

use crate::process::{Process, omni};

/// What a command printed, as JSON.
async fn json_of(server: &str, args: &[&str]) -> Value {
    let output =
        omni().args(["--server", server, "--output", "json"]).args(args).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_and_exits_with_zero() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path()).await;
    let http = Http::new(&server.url);
    let body = json!({ "eventType": "custom.x", "payload": {} });
    let id = http.post("/api/events/trigger", &body).await.expect(201).json()["eventId"].clone();
    server.signal("-TERM");
    assert_eq!(server.exit_code().await, Some(0));
    let again = Process::start(dir.path()).await;
    let path = format!("/api/events/{}", id.as_str().unwrap());
    Http::new(&again.url).get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_refused_until_the_first_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let first = Process::start(dir.path()).await;
    let second = omni()
        .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(dir.path())
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(error.contains("in use by another omni process"), "{error}");
    first.signal("-KILL");
    first.exit_code().await;
    Process::start(dir.path()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_tells_its_story() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let demo = omni()
            .args(["up", "--demo", "--demo-exit", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path())
            .output();
        let output = tokio::time::timeout(PATIENCE, demo).await.unwrap().unwrap();
        let story = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{story}{}", String::from_utf8_lossy(&output.stderr));
        for part in [
            "custom.webhook.github.push",
            "matches",
            "does not match",
            "1. log success",
            "2. emit_event success",
            "3. webhook success",
            "idempotency-key",
        ] {
            assert!(story.contains(part), "`{part}` is not in:\n{story}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_defines_triggers_and_reads() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(&dir.path().join("data")).await;
    let file = dir.path().join("definitions.yaml");
    std::fs::write(&file, "kind: Automation\nname: by-cli\nspec:\n  triggerEventType: custom.cli\n  actions:\n    - type: log\n      config: { level: info, message: \"hello {{ payload.name }}\" }\n").unwrap();
    let file = file.to_str().unwrap();
    let apply = async || {
        let output =
            omni().args(["--server", &server.url, "apply", "-f", file]).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(apply().await.contains("automation/by-cli created"));
    assert!(apply().await.contains("unchanged"));

    let created = json_of(
        &server.url,
        &["event", "create", "--type", "custom.cli", "--payload", r#"{"name":"Mona"}"#],
    )
    .await;
    let id = created["eventId"].as_str().unwrap();
    let execution = omni_testing::eventually("the execution is there", async || {
        let list = json_of(&server.url, &["execution", "list"]).await;
        list["items"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(execution["eventId"], id);
    assert_eq!(execution["actionsExecuted"][0]["result"]["logged"], "hello Mona");
    let shown =
        json_of(&server.url, &["execution", "get", execution["id"].as_str().unwrap()]).await;
    assert_eq!(shown["id"], execution["id"]);
    assert_eq!(
        json_of(&server.url, &["event", "get", id]).await["payload"],
        json!({ "name": "Mona" })
    );
    assert_eq!(json_of(&server.url, &["automation", "list"]).await["items"][0]["name"], "by-cli");
    assert_eq!(json_of(&server.url, &["stats"]).await["events"], 1);

    let missing = omni()
        .args(["--server", &server.url, "event", "get", "01900000-0000-7000-8000-000000000000"])
        .output()
        .await
        .unwrap();
    assert_eq!(missing.status.code(), Some(3), "not found has a code of its own");
    let nobody = omni().args(["--server", "http://127.0.0.1:9", "stats"]).output().await.unwrap();
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("omni up"));
}

/// The examples do what their comments say.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_run() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path()).await;
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples");
    let applied =
        omni().args(["--server", &server.url, "apply", "-f", examples]).output().await.unwrap();
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let http = Http::new(&server.url);

    let greet = json!({ "eventType": "custom.hello", "payload": { "name": "Mona" } });
    http.post("/api/events/trigger", &greet).await.expect(201);
    let order = r#"{"order":7}"#;
    let signature = omni_testing::github::signature("change me", order.as_bytes());
    let headers = [
        ("x-shop-signature".to_owned(), signature),
        ("x-shop-topic".to_owned(), "order-paid".to_owned()),
    ];
    http.send(http::Method::POST, "/webhooks/shop", &headers, order).await.expect(200);

    let logged = omni_testing::eventually("three automations ran", async || {
        let list = http.get("/api/executions?status=success").await.expect(200).text();
        (list.matches("\"automationId\"").count() == 3).then_some(list)
    })
    .await;
    for line in [
        "hello Mona",
        "Mona was greeted because of event",
        "order 7 came in as custom.webhook.shop.order-paid",
    ] {
        assert!(logged.contains(line), "`{line}` is not in {logged}");
    }
}

/// Two processes share one PostgreSQL and one NATS: each takes events in, each handles some, and each event once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_share_the_work_and_run_each_event_once() {
    let (nats, receiver) = (NatsServer::start().await, Receiver::start().await);
    let location = testing::temporary_schema(&testing::server_url()).await;
    let Location::Postgres(database) = location else { panic!("{location:?}") };
    let url = nats.url();
    let variables = [
        ("OMNI_DATABASE_URL", database.as_str()),
        ("OMNI_NATS_URL", url.as_str()),
        ("OMNI_EGRESS_ALLOW_LOOPBACK", "true"),
    ];
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = Process::start_with(one.path(), &variables).await;
    let http = Http::new(&first.url);
    let automation = json!({
        "name": "effect", "triggerEventType": "custom.shared",
        "actions": [{ "type": "webhook", "config": { "url": receiver.url("/effect") } }]
    });
    http.post("/api/automations", &automation).await.expect(201);
    // It reads the automation when it starts.
    let second = Process::start_with(two.path(), &variables).await;

    let body = json!({ "eventType": "custom.shared", "payload": {} });
    let both = [Http::new(&first.url), Http::new(&second.url)];
    let mut sent = Vec::new();
    for n in 0..300 {
        let reply = both[n % 2].post("/api/events/trigger", &body).await.expect(201).json();
        sent.push(reply["eventId"].as_str().unwrap().to_owned());
    }
    omni_testing::eventually("every event has an outcome", async || {
        let pending = http.get("/api/events?status=pending&limit=1").await.expect(200).json();
        pending["items"].as_array().unwrap().is_empty().then_some(())
    })
    .await;
    let mut effects: Vec<String> =
        receiver.received().iter().map(|r| r.header("x-omni-event-id").to_owned()).collect();
    effects.sort();
    sent.sort();
    assert_eq!(effects, sent);
    for process in [first, second] {
        let text = Http::new(&process.url).get("/metrics").await.expect(200).text();
        let handled = "omni_bus_consumer_acked_total{consumer=\"automations\"} ";
        let handled = text.lines().find_map(|line| line.strip_prefix(handled)).unwrap();
        assert!(handled.parse::<u64>().unwrap() > 0, "one of them did all the work");
        process.signal("-TERM");
        assert_eq!(process.exit_code().await, Some(0));
    }
}
