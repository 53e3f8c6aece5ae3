//! The listener over real sockets: how long it waits, how many it serves, who gets in, and how it ends.

use std::time::Duration;

use omni_server::{Config, Server};
use omni_testing::{Http, PATIENCE, SECRET, TestApp, eventually, github};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::{
    process::Process,
    wire::{Wire, delivery, number, refused},
};

async fn impatient() -> TestApp {
    TestApp::start_as(|config| {
        config.first_byte_seconds = 1;
        config.header_seconds = 1;
        config.idle_seconds = 1;
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_says_nothing_is_closed() {
    let app = impatient().await;
    let mut silent = Wire::open(app.addr()).await;
    assert_eq!(silent.rest().await, b"");
    assert_eq!(refused(&app.http, "silent").await, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_trickle_are_cut_off() {
    let app = impatient().await;
    for begin in ["POST /webhooks/x HTTP/1.1\r\nHost: localhost\r\nX: ", "PRI * HT"] {
        let mut slow = Wire::open(app.addr()).await;
        slow.say(begin).await;
        let (mut read, mut write) = slow.0.into_split();
        let trickling = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(50));
            while begin.starts_with("POST") && write.write_all(b"a").await.is_ok() {
                pace.tick().await;
            }
            write
        });
        let mut answer = Vec::new();
        let reading = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
        let _ = timeout(PATIENCE, reading).await.expect("it is cut off");
        assert_eq!(answer, b"");
        trickling.abort();
    }
    assert_eq!(refused(&app.http, "slow_head").await, 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_closed_after_its_time() {
    let app = impatient().await;
    let mut kept = Wire::open(app.addr()).await;
    for _ in 0..3 {
        assert_eq!(kept.healthz().await, Some(200));
    }
    assert_eq!(kept.rest().await, b"");
    assert_eq!(refused(&app.http, "slow_head").await, 0, "it is no fault of the client");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_connection_ends_with_the_answer_it_is_at() {
    let app = TestApp::start_as(|config| {
        config.connection_age_seconds = Some(1);
        config.first_byte_seconds = 1;
        config.header_seconds = 1;
    })
    .await;
    app.add_github().await;
    let mut old = Wire::open(app.addr()).await;
    let body = github::push("main").to_string();
    old.say(delivery("d-1", &body)).await;
    // Older than a second when the last byte comes.
    tokio::time::interval_at(tokio::time::Instant::now() + Duration::from_secs(2), PATIENCE)
        .tick()
        .await;
    old.say(&body).await;
    let answer = old.rest_as_text().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_the_seats_of_others() {
    let app = TestApp::start_as(|config| config.connections_per_address = 5).await;
    let mut greedy = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::open_from([127, 0, 0, 5], app.addr()).await;
        assert_eq!(wire.healthz().await, Some(200));
        greedy.push(wire);
    }
    let mut sixth = Wire::open_from([127, 0, 0, 5], app.addr()).await;
    assert_eq!(sixth.healthz().await, None);
    assert_eq!(refused(&app.http, "address").await, 1);
    let mut other = Wire::open_from([127, 0, 0, 6], app.addr()).await;
    assert_eq!(other.healthz().await, Some(200));
    greedy.pop();
    eventually("the seat of who left is free", async || {
        let mut again = Wire::open_from([127, 0, 0, 5], app.addr()).await;
        again.healthz().await
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_has_the_seats_of_all() {
    let app = TestApp::start_as(|config| {
        config.connections_per_address = 2;
        config.connections_max = 6;
        config.trusted_proxies = Some("127.0.0.9".to_owned());
    })
    .await;
    let mut through = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::open_from([127, 0, 0, 9], app.addr()).await;
        assert_eq!(wire.healthz().await, Some(200));
        through.push(wire);
    }
    assert_eq!(refused(&app.http, "address").await, 0);
    // The client that asks for the metrics has the sixth.
    let mut more = Wire::open_from([127, 0, 0, 9], app.addr()).await;
    assert_eq!(more.healthz().await, None);
    // The client may have opened a second one while its first was not yet back in its pool.
    assert!(refused(&app.http, "cap").await >= 1);
    drop((through, more));
    eventually("the seats are free again", async || {
        let mut wire = Wire::open_from([127, 0, 0, 1], app.addr()).await;
        (wire.healthz().await == Some(200)).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_trusted_proxy_says_who_sent() {
    let app =
        TestApp::start_as(|config| config.trusted_proxies = Some("127.0.0.9".to_owned())).await;
    let source = json!({ "name": "listed", "allowedIps": ["192.0.2.0/24"] });
    app.http.post("/api/sources", &source).await.expect(201);
    let ask = async |peer: [u8; 4], forwarded: &str| {
        let mut wire = Wire::open_from(peer, app.addr()).await;
        let head = format!(
            "POST /webhooks/listed HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: {forwarded}\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        wire.say(head).await;
        wire.status().await
    };
    assert_eq!(ask([127, 0, 0, 9], "192.0.2.7").await, Some(200));
    assert_eq!(
        ask([127, 0, 0, 9], "192.0.2.7, 198.51.100.1").await,
        Some(403),
        "the first is a lie"
    );
    assert_eq!(ask([127, 0, 0, 9], "198.51.100.1, 192.0.2.7").await, Some(200));
    assert_eq!(ask([127, 0, 0, 1], "192.0.2.7").await, Some(403), "nobody trusts this peer");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sockets_do_not_keep_others_from_being_served() {
    let app = TestApp::start_as(|_| {}).await;
    app.add_github().await;
    let mut idle = Vec::new();
    for n in 0..600_u16 {
        let [_, low] = n.to_be_bytes();
        let mut wire = Wire::open_from([127, 0, 1, low.max(1)], app.addr()).await;
        if n % 2 == 0 {
            wire.say("POST /webhooks/github HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n")
                .await;
        }
        idle.push(wire);
    }
    for n in 0..20 {
        app.deliver("push", &format!("d-{n}"), &github::push("main").to_string()).await.expect(200);
    }
    assert!(number(&app.http, "omni_connections_open{listener=\"main\"}").await > 600);
    drop(idle);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_webhooks_are_taken_on_the_address_for_webhooks() {
    let app =
        TestApp::start_as(|config| config.ingest_listen = Some(([127, 0, 0, 1], 0).into())).await;
    app.add_github().await;
    let open = Http::new(format!("http://{}", app.ingest_addr()));
    let body = github::push("main").to_string();
    let post = async |path: &str, id: &str| {
        let headers = github::headers(SECRET, "push", id, body.as_bytes());
        open.send(http::Method::POST, path, &headers, body.clone()).await
    };
    post("/webhooks/github", "d-1").await.expect(200);
    post("/api/orgs/default/eventhook/in/github", "d-2").await.expect(200);
    open.get("/healthz").await.expect(200);
    for path in ["/", "/readyz", "/metrics", "/api/events", "/api/sources", "/api/openapi.json"] {
        open.get(path).await.expect(404);
    }
    open.post("/api/events/trigger", &json!({ "eventType": "custom.x" })).await.expect(404);
    open.post("/omni.v1.AdminService/GetStats", &json!({})).await.expect(404);
    assert_eq!(app.http.get("/api/stats").await.expect(200).json()["events"], 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_address_for_webhooks_leaves_the_other_free() {
    let app = TestApp::start_as(|config| {
        config.ingest_listen = Some(([127, 0, 0, 1], 0).into());
        config.connections_max = 5;
    })
    .await;
    let mut flood = Vec::new();
    for _ in 0..5 {
        let mut wire = Wire::open(app.ingest_addr()).await;
        assert_eq!(wire.healthz().await, Some(200));
        flood.push(wire);
    }
    assert_eq!(Wire::open(app.ingest_addr()).await.healthz().await, None);
    let name = "omni_connections_refused_total{listener=\"ingest\",cause=\"cap\"}";
    assert_eq!(number(&app.http, name).await, 1);
    assert_eq!(refused(&app.http, "cap").await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_closes_what_is_idle_and_finishes_what_runs() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        data_dir: dir.path().into(),
        listen: ([127, 0, 0, 1], 0).into(),
        ..Config::default()
    };
    let server = Server::start(config).await.unwrap();
    let addr = server.addr();
    let http = Http::new(format!("http://{addr}"));
    let source = json!({ "name": "github", "provider": "github", "secret": SECRET });
    http.post("/api/sources", &source).await.expect(201);

    let mut silent = Wire::open(addr).await;
    let mut idle = Wire::open(addr).await;
    assert_eq!(idle.healthz().await, Some(200));
    let mut running = Wire::open(addr).await;
    let body = github::push("main").to_string();
    running.say(delivery("d-1", &body)).await;
    running.say(&body[..10]).await;
    eventually("the request runs", async || {
        let open = number(&http, "omni_connections_open{listener=\"main\"}").await;
        (open >= 4).then_some(())
    })
    .await;

    let draining = tokio::spawn(server.shutdown());
    assert_eq!(silent.rest().await, b"");
    assert_eq!(idle.rest().await, b"");
    assert!(!draining.is_finished(), "a request is running");
    assert!(tokio::net::TcpStream::connect(addr).await.is_err(), "nobody else gets in");
    running.say(&body[10..]).await;
    let answer = running.rest_as_text().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    timeout(PATIENCE, draining).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_few_open_files_do_not_end_the_loop() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start_within(dir.path(), 64).await;
    let addr = server.url.strip_prefix("http://").unwrap().parse().unwrap();
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(Wire::open(addr).await);
    }
    // The first of them are accepted, then there are no more files.
    assert_eq!(flood[0].healthz().await, Some(200));
    drop(flood);
    let http = Http::new(&server.url);
    eventually("it serves again", async || {
        let reply = http.try_send(http::Method::GET, "/healthz", &[], "").await;
        reply.ok().filter(|reply| reply.status == 200)
    })
    .await;
    assert!(number(&http, "omni_connections_accept_failed_total{listener=\"main\"}").await > 0);
    server.signal("-TERM");
    assert_eq!(server.exit_code().await, Some(0));
}
