//! A hostile sender and a hostile author against the whole server, from outside.

use std::time::{Duration, Instant};

use http::Method;
use omni_proto::{
    CreateSourceRequest, TriggerEventRequest, event_service_client::EventServiceClient,
    source_service_client::SourceServiceClient,
};
use omni_testing::{Database, Receiver, SECRET, TestApp, github, on_both};
use serde_json::{Value, json};
use tonic::transport::Endpoint;

/// The longest that anybody may be kept waiting by what is no more than a megabyte, in a debug build.
const AT_ONCE: Duration = Duration::from_secs(3);

fn json_header() -> Vec<(String, String)> {
    vec![("content-type".to_owned(), "application/json".to_owned())]
}

/// Documents that break careless parsers, each under the limit of a body.
fn bombs() -> Vec<Vec<u8>> {
    let nested =
        |open: &str, close: &str| (open.repeat(100_000) + &close.repeat(100_000)).into_bytes();
    let keys: Vec<String> = (0..70_000).map(|n| format!("\"k{n}\":1")).collect();
    let repeated = vec!["\"k\":1"; 100_000].join(",");
    vec![
        nested("[", "]"),
        nested("{\"a\":", "}"),
        "[".repeat(900_000).into_bytes(),
        "9".repeat(900_000).into_bytes(),
        format!("-0.{}e-9", "9".repeat(900_000)).into_bytes(),
        b"1e999999999".to_vec(),
        format!("{{{}}}", keys.join(",")).into_bytes(),
        format!("{{{repeated}}}").into_bytes(),
        b"\"\\ud800\"".to_vec(),
        b"\"\\udc00\\ud800\"".to_vec(),
        b"{\"\\u0000\":\"\\u0000\"}".to_vec(),
        b"\"\0\"".to_vec(),
        b"\"\xff\xfe\"".to_vec(),
        b"\"\xed\xa0\x80\"".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"\xff\xfe{\0}\0".to_vec(),
        format!("\"{}\"", "\\u0041".repeat(150_000)).into_bytes(),
        b"{} {}".to_vec(),
        b"{\"__proto__\":{\"a\":1},\"constructor\":1}".to_vec(),
        Vec::new(),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_json_gets_an_answer_at_once_wherever_it_comes_in() {
    on_both(async |database| {
        let app = TestApp::start(database).await;
        app.http.post("/api/sources", &json!({ "name": "open" })).await.expect(201);
        // Looks at every event, so that what is taken is also read.
        app.add_automation(&json!({
            "name": "reader", "triggerEventType": ">",
            "triggerConditions": [{ "field": "$..*", "operator": "neq", "value": "nothing" }],
            "actions": [{ "type": "log", "config": { "message": "{{ payload }}" } }],
        }))
        .await;
        for bomb in bombs() {
            let wrapped = |before: &str, after: &str| [before.as_bytes(), &bomb, after.as_bytes()].concat();
            for (path, body) in [
                ("/webhooks/open", bomb.clone()),
                ("/api/events/trigger", wrapped("{\"eventType\":\"custom.a\",\"payload\":", "}")),
                ("/api/events/trigger", wrapped("{\"eventType\":\"custom.a\",\"metadata\":{\"triggeredBy\":", "}}")),
                ("/api/events/trigger", wrapped("{\"eventType\":", "}")),
                ("/api/sources", wrapped("{\"name\":\"a\",\"description\":", "}")),
                ("/api/sources", wrapped("{\"name\":\"b\",\"expectedHeaders\":", "}")),
                ("/api/automations", wrapped("{\"name\":\"a\",\"triggerEventType\":\"custom.a\",\"triggerConditions\":[{\"field\":\"payload.a\",\"operator\":\"eq\",\"value\":", "}],\"actions\":[{\"type\":\"log\",\"config\":{\"message\":\"x\"}}]}")),
                ("/api/automations", wrapped("{\"name\":\"b\",\"triggerEventType\":\"custom.a\",\"actions\":[{\"type\":\"log\",\"config\":{\"message\":\"x\",\"fields\":", "}}]}")),
            ] {
                let before = Instant::now();
                let reply = app.http.send(Method::POST, path, &json_header(), body).await;
                let shown = String::from_utf8_lossy(&bomb[..bomb.len().min(20)]).into_owned();
                assert!(reply.status.as_u16() < 500, "{path} {shown}: {}", reply.text());
                assert!(before.elapsed() < AT_ONCE, "{path} {shown}: {:?}", before.elapsed());
                let short = reply.status.is_success() || reply.body.len() < 100_000;
                assert!(short, "{path} {shown}: {}", reply.body.len());
            }
        }
        app.finish().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_bytes_over_grpc_are_refused_and_store_nothing() {
    let app = TestApp::start(Database::Embedded).await;
    let channel = Endpoint::from_shared(app.url.clone()).unwrap().connect().await.unwrap();
    let mut events = EventServiceClient::new(channel.clone());
    let mut sources = SourceServiceClient::new(channel);
    for bomb in bombs() {
        let before = Instant::now();
        let request = TriggerEventRequest {
            event_type: "custom.a".into(),
            metadata: bomb.clone().into(),
            ..Default::default()
        };
        if let Err(status) = events.trigger(request).await {
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
        }
        let request = TriggerEventRequest {
            event_type: "custom.a".into(),
            payload: bomb.clone().into(),
            ..Default::default()
        };
        if let Err(status) = events.trigger(request).await {
            assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
        }
        let request = CreateSourceRequest { definition: bomb.into() };
        let status = sources.create(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
        assert!(before.elapsed() < AT_ONCE, "{:?}", before.elapsed());
    }
    app.finish().await;
}

/// The author lets the sender choose the address and a header; the sender makes the most of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_cannot_turn_a_rule_against_the_server_itself() {
    let app = TestApp::start(Database::Embedded).await;
    let receiver = Receiver::start().await;
    app.add_automation(&json!({
        "name": "callback", "triggerEventType": "custom.callback",
        "actions": [{ "type": "webhook", "config": {
            "url": "{{ payload.url }}", "headers": { "X-Ref": "{{ payload.ref }}" }, "body": {},
        } }],
    }))
    .await;
    let run = async |url: &str, reference: &str| {
        let event = app.trigger("custom.callback", &json!({ "url": url, "ref": reference })).await;
        let execution = app.executions(&event).await.remove(0);
        execution["actionsExecuted"][0].clone()
    };
    let own = app.url.rsplit(':').next().unwrap().to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "user@127.0.0.1",
        "LOCALHOST.",
    ] {
        let result = run(&format!("http://{host}:{own}/api/automations"), "x").await;
        assert_eq!(result["status"], "failed", "{host}: {result}");
        assert!(!result["result"].to_string().contains("triggerEventType"), "{host}: {result}");
    }
    for odd in [
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "//127.0.0.1/",
        "http://",
        "http://169.254.169.254/latest",
        "http://[fd00:ec2::254]/",
        "http://10.0.0.1/",
        "javascript:1",
    ] {
        assert_eq!(run(odd, "x").await["status"], "failed", "{odd}");
    }
    let url = receiver.url("/hook");
    for smuggled in ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\r\n\r\nGET / HTTP/1.1", "a\0b"] {
        assert_eq!(run(&url, smuggled).await["status"], "failed", "{smuggled:?}");
    }
    assert!(receiver.received().is_empty(), "{:?}", receiver.received());
    assert_eq!(run(&url, "fine").await["status"], "success");
    let got = receiver.received();
    assert_eq!((got.len(), got[0].header("x-ref")), (1, "fine"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_come_out_nowhere() {
    let app = TestApp::start(Database::Embedded).await;
    app.add_github().await;
    let key = json!({ "name": "keyed", "secret": "canary-key", "verifier": { "apiKey": { "header": "X-Own" } } });
    app.http.post("/api/sources", &key).await.expect(201);
    let secret_headers = [
        "authorization",
        "cookie",
        "x-api-key",
        "x-gitlab-token",
        "x-auth",
        "proxy-authorization",
        "x-functions-key",
    ];
    let with_secrets = |mut headers: Vec<(String, String)>| {
        headers.extend(secret_headers.map(|name| (name.to_owned(), format!("canary-{name}"))));
        headers
    };
    let send = async |path: &str, headers: Vec<(String, String)>, body: &str| {
        app.http.send(Method::POST, path, &with_secrets(headers), body.to_owned()).await
    };
    let body = github::push("main").to_string();
    let taken =
        send("/webhooks/github", github::headers(SECRET, "push", "d-1", body.as_bytes()), &body)
            .await
            .expect(200);
    send("/webhooks/github", github::headers("wrong", "push", "d-2", body.as_bytes()), &body)
        .await
        .expect(401);
    let own = |value: &str| vec![("x-own".to_owned(), value.to_owned())];
    let keyed = send("/webhooks/keyed", own("canary-key"), "{}").await.expect(200);
    send("/webhooks/keyed", own("canary-guess"), "{}").await.expect(401);
    let mut claims = own("canary-key");
    claims.push(("content-type".to_owned(), "application/json".to_owned()));
    send("/webhooks/keyed", claims, "no json").await.expect(400);
    let mut shown = String::new();
    let payloads = |reply: &omni_testing::Reply| {
        format!("/api/events/{}/payloads", reply.json()["eventId"].as_str().unwrap())
    };
    for path in [
        "/api/sources".to_owned(),
        "/api/sources/keyed".to_owned(),
        "/api/sources/github/quarantine".to_owned(),
        "/api/sources/keyed/quarantine".to_owned(),
        "/api/events".to_owned(),
        "/metrics".to_owned(),
        payloads(&taken),
        payloads(&keyed),
    ] {
        shown.push_str(&app.http.get(&path).await.expect(200).text());
    }
    assert!(!shown.contains("canary") && !shown.contains(SECRET), "{shown}");
    assert!(shown.contains("x-gitlab-token"), "the names are kept");
    app.finish().await;
}

/// A page whose name was made to point at this machine, in the browser of its user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_of_another_name_reads_and_changes_nothing() {
    let app = TestApp::start(Database::Embedded).await;
    let page = |more: &[(&str, &str)]| {
        let mut headers = vec![("host".to_owned(), "evil.example".to_owned())];
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        headers
    };
    for path in ["/api/sources", "/api/events", "/api/openapi.json", "/metrics", "/api/stats"] {
        let reply = app.http.send(Method::GET, path, &page(&[]), "").await.expect(421);
        let problem: Value = reply.json();
        assert_eq!(problem["code"], "OM0017", "{problem}");
    }
    let json = page(&[("content-type", "application/json")]);
    app.http.send(Method::POST, "/api/sources", &json, r#"{"name":"a"}"#).await.expect(421);
    // Without the rebinding, a form of another site is no JSON, and the browser says where it comes from.
    let form = vec![("content-type".to_owned(), "text/plain".to_owned())];
    app.http.send(Method::POST, "/api/sources", &form, r#"{"name":"a"}"#).await.expect(415);
    let cross = vec![("sec-fetch-site".to_owned(), "cross-site".to_owned())];
    let enable = "/api/automations/00000000-0000-0000-0000-000000000001/enable";
    app.http.send(Method::POST, enable, &cross, "").await.expect(421);
    let sources = app.http.get("/api/sources").await.expect(200).json();
    assert_eq!(sources["items"], json!([]));
    app.finish().await;
}
