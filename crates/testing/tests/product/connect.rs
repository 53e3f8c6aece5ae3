//! "Connect GitHub, Stripe and Slack" of the README: its commands are run as they stand there, and then requests come that
//! are signed as these three sign them.

use std::{collections::HashMap, path::Path, process::Stdio};

use http::Method;
use omni_clock::{Clock as _, SystemClock};
use omni_crypto::hmac_sha256;
use omni_testing::{Http, PATIENCE, Receiver, Reply, eventually, github};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;

use crate::process::{Process, omni};

const README: &str = include_str!("../../../../README.md");
const TITLE: &str = "\n## Connect GitHub, Stripe and Slack\n";
/// As Stripe and Slack show them.
const STRIPE: &str = "whsec_dGhpcyBpcyBub3QgYSByZWFsIHNlY3JldA";
const SLACK: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Somebody with the README, a shell and nothing else.
struct User {
    dir: TempDir,
    server: Process,
}

impl User {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let server = Process::start(&dir.path().join("data")).await;
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let program = omni().as_std().get_program().to_owned();
        let program = std::fs::canonicalize(program).unwrap();
        std::os::unix::fs::symlink(program, bin.join("omni")).unwrap();
        Self { dir, server }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    /// Runs commands as they stand in the README, with this pasted where one reads from the terminal.
    async fn types(&self, commands: &str, pasted: &str) -> String {
        let script = format!("PATH=\"$PWD/bin:$PATH\"\nset -e\n{commands}");
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", &script])
            .env("NO_COLOR", "1")
            .env("OMNI_SERVER", &self.server.url)
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(pasted.as_bytes()).await.unwrap();
        drop(stdin);
        let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap();
        let output = output.unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{commands}\n{told}{error}");
        told
    }
}

/// The part of the README, and its blocks of commands.
fn part() -> (&'static str, Vec<&'static str>) {
    let (_, part) = README.split_once(TITLE).expect("the README has the section");
    let part = part.split("\n## ").next().unwrap();
    let blocks = part.split("```console\n").skip(1).map(|block| block.split("```").next().unwrap());
    (part, blocks.collect())
}

/// The path that stands behind the host in the README for this provider.
fn path_of(part: &str, provider: &str) -> String {
    let url = format!("`https://YOUR-HOST/webhooks/{provider}`");
    assert!(part.contains(&url), "the README names {url}");
    format!("/webhooks/{provider}")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn named(headers: &[(&str, String)]) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// `Stripe-Signature: t=…,v1=…` over the time, a dot and the body.
fn stripe(secret: &str, time: i64, body: &str) -> Vec<(String, String)> {
    let tag = hmac_sha256(secret.as_bytes(), &[format!("{time}.{body}").as_bytes()]);
    let signature = format!("t={time},v1={},v0={}", hex(&tag), "0".repeat(64));
    named(&[
        ("content-type", "application/json; charset=utf-8".to_owned()),
        ("user-agent", "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned()),
        ("stripe-signature", signature),
    ])
}

/// `X-Slack-Signature: v0=…` over `v0:`, the time, `:` and the body.
fn slack(secret: &str, time: i64, body: &str) -> Vec<(String, String)> {
    let tag = hmac_sha256(secret.as_bytes(), &[format!("v0:{time}:{body}").as_bytes()]);
    named(&[
        ("content-type", "application/json".to_owned()),
        ("user-agent", "Slackbot 1.0 (+https://api.slack.com/robots)".to_owned()),
        ("x-slack-request-timestamp", time.to_string()),
        ("x-slack-signature", format!("v0={}", hex(&tag))),
    ])
}

fn secret(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_readme_connects_three_providers() {
    let (part, blocks) = part();
    let [for_github, for_stripe, for_slack, after] = blocks[..] else { panic!("{blocks:?}") };
    let user = User::new().await;
    let http = Http::new(&user.server.url);
    let now = SystemClock::new().now().timestamp();
    let send = async |path: &str, headers: &[(String, String)], body: &str| -> Reply {
        http.send(Method::POST, path, headers, body.to_owned()).await
    };

    user.types(for_github, "").await;
    let github_path = path_of(part, "github");
    let ping = json!({ "zen": "Keep it logically awesome.", "hook_id": 1 }).to_string();
    let key = secret(&user.path("github.secret"));
    assert_eq!(key.len(), 64);
    let delivery = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
    let signed = github::headers(&key, "ping", delivery, ping.as_bytes());
    send(&github_path, &signed, &ping).await.expect(200);
    let forged = github::headers("guessed", "ping", delivery, ping.as_bytes());
    send(&github_path, &forged, &ping).await.expect(401);

    user.types(for_stripe, &format!("{STRIPE}\n")).await;
    let stripe_path = path_of(part, "stripe");
    let paid = json!({ "id": "evt_1", "object": "event", "type": "invoice.paid", "data": {} });
    let paid = paid.to_string();
    send(&stripe_path, &stripe(STRIPE, now, &paid), &paid).await.expect(200);
    // Stripe tries again with a new time and signature: it is the same event.
    let again = send(&stripe_path, &stripe(STRIPE, now + 1, &paid), &paid).await.expect(200);
    send(&stripe_path, &stripe(STRIPE, now - 3600, &paid), &paid).await.expect(401);

    user.types(for_slack, &format!("{SLACK}\n")).await;
    let slack_path = path_of(part, "slack");
    let greeting = json!({ "token": "x", "challenge": "3eZbrw1a", "type": "url_verification" });
    let greeting = greeting.to_string();
    let greeted = send(&slack_path, &slack(SLACK, now, &greeting), &greeting).await.expect(200);
    assert!(greeted.text().contains("3eZbrw1a"), "{}", greeted.text());
    let mention = json!({
        "type": "event_callback", "event_id": "Ev1",
        "event": { "type": "app_mention", "user": "U1", "text": "hello" }
    });
    let mention = mention.to_string();
    send(&slack_path, &slack(SLACK, now, &mention), &mention).await.expect(200);
    send(&slack_path, &slack(STRIPE, now, &mention), &mention).await.expect(401);

    let [list, listen] = after.lines().collect::<Vec<_>>()[..] else { panic!("{after}") };
    let told = user.types(list, "").await;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in told.split_whitespace().filter(|word| word.starts_with("custom.webhook.")) {
        *counts.entry(word).or_default() += 1;
    }
    let expected = ["github.ping", "stripe.invoice.paid", "slack.app_mention"];
    let expected = expected.map(|name| format!("custom.webhook.{name}"));
    assert_eq!(counts, expected.iter().map(|name| (name.as_str(), 1)).collect());
    let first = http.get("/api/events?source=webhook:stripe").await.expect(200).json();
    assert_eq!(first["items"][0]["id"], again.json()["eventId"]);

    assert_eq!(listen, "omni listen github --forward localhost:3000/hooks");
    let local = Receiver::start().await;
    let forward = local.url("/hooks");
    let url = forward.trim_start_matches("http://");
    let mut listening = omni()
        .args(["--server", &user.server.url, "listen", "github", "--replay", "1", "--forward", url])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let received = local.wait_for(1).await.remove(0);
    assert_eq!(received.body, ping);
    let signature = format!("sha256={}", github::signature(&key, &received.body));
    assert_eq!(received.header("x-hub-signature-256"), signature);
    listening.kill().await.unwrap();
}

/// The listener of the README takes webhooks and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_address_takes_webhooks_only() {
    let (part, _) = part();
    assert!(part.contains("OMNI_INGEST_LISTEN=127.0.0.1:7401 omni up"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let dir = TempDir::new().unwrap();
    let server = Process::start_with(dir.path(), &[("OMNI_INGEST_LISTEN", &address)]).await;
    let source = json!({ "name": "github", "provider": "github", "secret": "s" });
    Http::new(&server.url).post("/api/sources", &source).await.expect(201);
    let ingest = Http::new(format!("http://{address}"));
    let signed = github::headers("s", "push", "1", b"{}");
    let reply = eventually("the second address answers", async || {
        let sent = ingest.try_send(Method::POST, "/webhooks/github", &signed, "{}").await;
        sent.ok()
    })
    .await;
    assert_eq!(reply.expect(200).json()["acknowledged"], true);
    for path in ["/api/events", "/api/sources", "/metrics", "/readyz"] {
        ingest.get(path).await.expect(404);
    }
    // The credential of one source opens no other.
    let other = json!({ "name": "other", "provider": "github", "secret": "t" });
    Http::new(&server.url).post("/api/sources", &other).await.expect(201);
    ingest.send(Method::POST, "/webhooks/other", &signed, "{}").await.expect(401);
    let list = Http::new(&server.url).get("/api/events").await.expect(200).json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
    assert_eq!(list["items"][0]["source"], Value::from("webhook:github"));
}
