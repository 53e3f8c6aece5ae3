//! `omni listen` with the real program: a developer's own server gets what the provider sent, as the provider sent it.

use std::process::Stdio;

use bytes::Bytes;
use http::Method;
use omni_testing::{Http, PATIENCE, Received, Receiver, github};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use crate::process::{Process, omni};

const SECRET: &str = "It's a Secret to Everybody";

/// A server with data of its own, and what sends to it.
struct World {
    dir: TempDir,
    server: Process,
    http: Http,
}

/// A running `omni listen`.
struct Listener {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    errors: Lines<BufReader<tokio::process::ChildStderr>>,
}

impl World {
    async fn start() -> Self {
        let dir = TempDir::new().unwrap();
        let server = Process::start(&dir.path().join("data")).await;
        let http = Http::new(&server.url);
        Self { dir, server, http }
    }

    /// One with a GitHub source.
    async fn with_github() -> Self {
        let world = Self::start().await;
        let source = json!({ "name": "github", "provider": "github", "secret": SECRET });
        world.http.post("/api/sources", &source).await.expect(201);
        world
    }

    /// Ends the server and starts it again under the same address.
    async fn restart(self) -> Self {
        let Self { dir, server, http } = self;
        let address = server.url.trim_start_matches("http://").to_owned();
        server.signal("-TERM");
        assert_eq!(server.exit_code().await, Some(0));
        let server = Process::start_at(&dir.path().join("data"), &address).await;
        Self { dir, server, http }
    }

    /// Starts listening and waits until it does.
    async fn listen(&self, arguments: &[&str]) -> Listener {
        let mut child = omni()
            .args(["--server", &self.server.url, "-o", "json", "listen"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut listener = Listener { child, lines, errors };
        listener.told("Ctrl-C ends").await;
        listener
    }

    /// Sends a signed push with this number and these bytes around it; answers the id of its event.
    async fn push(&self, number: usize, body: impl Into<Bytes>) -> String {
        let body = body.into();
        let delivery = format!("72d3162e-cc78-11e3-81ab-{number:012}");
        let mut headers = github::headers(SECRET, "push", &delivery, &body);
        headers.push(("user-agent".to_owned(), "GitHub-Hookshot/044aadd".to_owned()));
        let reply = self.http.send(Method::POST, "/webhooks/github", &headers, body).await;
        reply.expect(200).json()["eventId"].as_str().unwrap().to_owned()
    }

    async fn numbered(&self, number: usize) -> String {
        self.push(number, format!("{{\"number\":{number}}}")).await
    }
}

impl Listener {
    /// The next line of output.
    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        let line = line.expect("a line in time").unwrap().expect("a line before the end");
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for a line of messages with this text.
    async fn told(&mut self, text: &str) {
        let told = async {
            while let Some(line) = self.errors.next_line().await.unwrap() {
                if line.contains(text) {
                    return;
                }
            }
            panic!("it ended before it told: {text}");
        };
        tokio::time::timeout(PATIENCE, told).await.expect("it tells in time");
    }

    /// Presses Ctrl-C; answers the last messages.
    async fn end(mut self) -> String {
        let pid = self.child.id().unwrap().to_string();
        let signal = std::process::Command::new("kill").args(["-INT", &pid]).status();
        assert!(signal.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(0));
        let mut rest = String::new();
        self.errors.into_inner().read_to_string(&mut rest).await.unwrap();
        rest
    }
}

fn numbers(received: &[Received]) -> Vec<i64> {
    received.iter().map(|request| request.json()["number"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_goes_on_byte_for_byte_and_its_signature_verifies() {
    let (world, local) = (World::start().await, Receiver::start().await);
    let secret = world.dir.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let secret = format!("@{}", secret.display());
    let url = local.url("/hooks?from=omni");
    let create = ["--create", "--provider", "github", "--secret", &secret];
    let mut listener = world.listen(&[&["github", "--forward", &url][..], &create].concat()).await;

    let body =
        "{ \"b\" : 1.50,\r\n\t\"a\":30000000000000000000001, \"name\":\"J\\u00fcrgen Größe\" }\n";
    let id = world.push(1, body).await;
    let line = listener.line().await;
    assert_eq!(line["status"], 200, "{line}");
    assert_eq!(line["eventId"], id.as_str());
    assert_eq!(line["type"], "custom.webhook.github.push");
    assert_eq!((&line["error"], &line["note"]), (&Value::Null, &Value::Null));
    assert!(line["milliseconds"].is_u64());

    let received = local.wait_for(1).await.remove(0);
    assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/hooks?from=omni"));
    assert_eq!(received.body, body);
    let signature = format!("sha256={}", github::signature(SECRET, &received.body));
    for (name, value) in [
        ("x-hub-signature-256", signature.as_str()),
        ("x-github-event", "push"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-000000000001"),
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("x-omni-event-id", id.as_str()),
        ("host", local.url("").trim_start_matches("http://")),
    ] {
        assert_eq!(received.header(name), value, "{name}");
    }
    let told = listener.end().await;
    assert!(
        told.contains("1 event: 1 taken (2xx), 0 answered otherwise, 0 not delivered"),
        "{told}"
    );
    // It only read.
    let outcome = world.http.get(&format!("/api/events/{id}")).await.expect(200).json();
    assert_eq!(outcome["payload"]["b"], json!(1.5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_keep_their_order_and_other_sources_stay_out() {
    let (world, local) = (World::with_github().await, Receiver::start().await);
    world.http.post("/api/sources", &json!({ "name": "other" })).await.expect(201);
    let mut listener = world.listen(&["github", "--forward", &local.url("/")]).await;
    for number in 0..40 {
        world.numbered(number).await;
        world.http.post("/webhooks/other", &json!({ "number": -1 })).await.expect(200);
    }
    let mut sequences = Vec::new();
    for _ in 0..40 {
        sequences.push(listener.line().await["sequence"].as_i64().unwrap());
    }
    assert!(sequences.is_sorted(), "{sequences:?}");
    assert_eq!(numbers(&local.received()), (0..40).collect::<Vec<i64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_server_loses_and_repeats_nothing() {
    let (mut world, local) = (World::with_github().await, Receiver::start().await);
    let mut listener = world.listen(&["github", "--forward", &local.url("/")]).await;
    for round in 0..3 {
        world.numbered(2 * round).await;
        listener.line().await;
        world = world.restart().await;
        // It may come while nobody follows.
        world.numbered(2 * round + 1).await;
        listener.line().await;
    }
    assert_eq!(numbers(&local.received()), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_server_that_is_down_is_told_and_does_not_end_it() {
    let world = World::with_github().await;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = format!("{address}/hook");
    let mut listener = world.listen(&["github", "--forward", &url]).await;
    world.numbered(1).await;
    let down = listener.line().await;
    assert_eq!(down["status"], Value::Null);
    assert!(down["error"].as_str().unwrap().contains("did not accept"), "{down}");

    let local = Receiver::start_at(address).await;
    local.answer_next(&[503]);
    world.numbered(2).await;
    assert_eq!(listener.line().await["status"], 503);
    world.numbered(3).await;
    assert_eq!(listener.line().await["status"], 200);
    assert_eq!(numbers(&local.received()), [2, 3]);
    let told = listener.end().await;
    assert!(
        told.contains("3 events: 1 taken (2xx), 1 answered otherwise, 1 not delivered"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_before_goes_first_when_it_is_asked_for() {
    let (world, local) = (World::with_github().await, Receiver::start().await);
    let mut sequences = Vec::new();
    for number in 0..4 {
        let id = world.numbered(number).await;
        let event = world.http.get(&format!("/api/events/{id}")).await.expect(200).json();
        sequences.push(event["sequence"].as_i64().unwrap());
    }
    let url = local.url("/");
    let since = sequences[1].to_string();
    for (options, expected) in [
        (["--replay", "2"], vec![2, 3]),
        (["--since", &since], vec![2, 3]),
        (["--since", "1h"], vec![0, 1, 2, 3]),
        (["--since", "2001-01-01T00:00:00Z"], vec![0, 1, 2, 3]),
        (["--replay", "500"], vec![0, 1, 2, 3]),
        // Nothing came since then, so it begins with what comes.
        (["--since", "2199-01-01T00:00:00Z"], vec![]),
    ] {
        let before = local.received().len();
        let mut listener =
            world.listen(&[&["github", "--forward", &url][..], &options].concat()).await;
        for number in &expected {
            assert_eq!(listener.line().await["status"], 200, "{options:?}: {number}");
        }
        assert_eq!(numbers(&local.received()[before..]), expected, "{options:?}");
        listener.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_request_its_payload_goes_on_and_that_is_said() {
    let (world, local) = (World::with_github().await, Receiver::start().await);
    let policy = json!({ "enabled": false });
    world.http.put("/api/capture-policies/custom.webhook.%3E", &policy).await.expect(200);
    let mut listener = world.listen(&["github", "--forward", &local.url("/")]).await;
    let id = world.push(1, "{\"number\": 1.50}").await;
    let line = listener.line().await;
    assert!(line["note"].as_str().unwrap().contains("the payload as JSON"), "{line}");
    let received = local.wait_for(1).await.remove(0);
    assert_eq!(received.body, "{\"number\": 1.50}");
    assert_eq!(received.header("content-type"), "application/json");
    assert_eq!(received.header("x-omni-event-id"), id);
    assert_eq!(received.header("x-hub-signature-256"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_header_is_not_kept_and_can_be_set_by_hand() {
    let (world, local) = (World::start().await, Receiver::start().await);
    let source = json!({
        "name": "lab", "secret": "glpat-1", "verifier": { "apiKey": { "header": "X-Gitlab-Token" } }
    });
    world.http.post("/api/sources", &source).await.expect(201);
    let url = local.url("/");
    let headers = [
        ("content-type".to_owned(), "application/json".to_owned()),
        ("x-gitlab-token".to_owned(), "glpat-1".to_owned()),
    ];
    for (arguments, token, has_note) in [
        (vec!["lab", "--forward", &url], "", true),
        (vec!["lab", "--forward", &url, "-H", "X-Gitlab-Token: mine"], "mine", false),
    ] {
        let before = local.received().len();
        let mut listener = world.listen(&arguments).await;
        world.http.send(Method::POST, "/webhooks/lab", &headers, "{}").await.expect(200);
        let line = listener.line().await;
        assert_eq!(line["note"].to_string().contains("x-gitlab-token"), has_note, "{line}");
        assert_eq!(local.received()[before].header("x-gitlab-token"), token);
        listener.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_not_there_is_told() {
    let world = World::start().await;
    let listen = ["--server", &world.server.url, "listen", "nobody", "--forward", "localhost:1"];
    let output = omni().args(listen).output().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("no source nobody") && told.contains("--create"), "{told}");
}
