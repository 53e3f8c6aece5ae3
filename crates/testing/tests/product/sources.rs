//! The story of a wrong secret: a genuine request is refused and kept, the lab says why, the secret is mended, and the
//! request becomes the event that it would have been. Secrets are seen nowhere on the way.

use std::{path::Path, process::Stdio};

use http::Method;
use omni_testing::{Http, PATIENCE, github};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Child,
};

use crate::process::omni;

const SECRET: &str = "canary-7Qm2-right";

/// A server whose log is kept, and a folder for the files of its user.
struct Desk {
    _server: Child,
    url: String,
    http: Http,
    dir: TempDir,
}

impl Desk {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let log = std::fs::File::create(dir.path().join("log")).unwrap();
        let mut server = omni()
            .env("OMNI_LOG", "debug")
            .args(["up", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(dir.path().join("data"))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap();
        let line = line.unwrap().unwrap();
        let url = line.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let (url, http) = (url.to_owned(), Http::new(url));
        Self { _server: server, url, http, dir }
    }

    /// Writes a file of the user and answers how it is given as an option.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("@{}", path.display())
    }

    /// Runs a command; its exit code and all that it wrote.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = omni().args(["--server", &self.url]).args(arguments).output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    async fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.run(arguments).await;
        assert_eq!(code, 0, "{arguments:?}: {text}");
        text
    }

    /// Sends a push that is signed with the right secret.
    async fn push(&self, delivery: &str) -> http::StatusCode {
        let body = github::push("main").to_string();
        let headers = github::headers(SECRET, "push", delivery, body.as_bytes());
        self.http.send(Method::POST, "/webhooks/github", &headers, body).await.status
    }

    async fn get(&self, path: &str) -> Value {
        self.http.get(path).await.expect(200).json()
    }

    async fn events(&self) -> usize {
        self.get("/api/events?type=custom.webhook.github.push").await["items"]
            .as_array()
            .unwrap()
            .len()
    }

    /// The newest request that was refused.
    async fn refused(&self) -> Value {
        self.get("/api/sources/github/quarantine").await["items"][0].clone()
    }
}

/// Every file under a folder that holds these bytes.
fn holders(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holders(&path, bytes));
        } else if let Ok(all) = std::fs::read(&path)
            && all.windows(bytes.len()).any(|part| part == bytes)
        {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_is_found_mended_and_nothing_is_lost() {
    let desk = Desk::new().await;
    let mut shown = String::new();
    let wrong = desk.file("wrong", &format!("\"{SECRET}\"\n"));
    let created =
        desk.ok(&["source", "create", "github", "--provider", "github", "--secret", &wrong]).await;
    assert!(created.contains(&format!("{}/webhooks/github", desk.url)), "{created}");
    assert!(created.contains("The secret of the webhook"), "the template says what: {created}");
    shown.push_str(&created);

    assert_eq!(desk.push("d-1").await, 401);
    let refused = desk.refused().await;
    assert_eq!(
        (&refused["code"], &refused["status"]),
        (&json!("signature-mismatch"), &json!("refused"))
    );
    let id = refused["id"].as_str().unwrap().to_owned();
    shown.push_str(&refused.to_string());

    let (code, told) = desk.run(&["source", "test", "github", "--quarantined", &id]).await;
    assert_eq!(code, 1, "{told}");
    assert!(told.contains("secret-form (certain)") && told.contains("quotes"), "{told}");
    assert!(told.contains("would become custom.webhook.github.push (key d-1)"), "{told}");
    shown.push_str(&told);
    let (code, told) = desk.run(&["source", "quarantine", "release", "github", &id]).await;
    assert_eq!(code, 4, "{told}");
    assert!(told.contains("signature-mismatch"), "{told}");
    shown.push_str(&told);
    assert_eq!(desk.events().await, 0);

    let right = desk.file("right", &format!("{SECRET}\n"));
    let rotated =
        desk.ok(&["source", "rotate-secret", "github", "--secret", &right, "--overlap", "0"]).await;
    shown.push_str(&rotated);
    shown.push_str(&desk.ok(&["source", "test", "github", "--quarantined", &id]).await);
    let first = desk.ok(&["source", "quarantine", "release", "github", &id]).await;
    let second = desk.ok(&["source", "quarantine", "release", "github", &id]).await;
    assert_eq!(first, second, "released twice it is the same event");
    assert_eq!(desk.events().await, 1);
    let released = desk.refused().await;
    assert_eq!(released["status"], "released");
    let event = released["eventIds"][0].as_str().unwrap();
    let event = desk.get(&format!("/api/events/{event}")).await;
    assert_eq!(event["payload"]["ref"], "refs/heads/main");
    assert_eq!(desk.push("d-1").await, 200, "GitHub tries again: it is a repeat");
    assert_eq!(desk.push("d-2").await, 200);
    assert_eq!(desk.events().await, 2);

    let source = desk.get("/api/sources/github").await;
    assert_eq!(source["secrets"].as_array().unwrap().len(), 2);
    assert!(source["secrets"][0]["lastUsedAt"].is_string(), "{source}");
    shown.push_str(&source.to_string());
    assert!(!shown.contains("canary"), "{shown}");
    for folder in [desk.dir.path().join("data"), desk.dir.path().to_owned()] {
        let mut files = holders(&folder, b"canary-7Qm2");
        files.retain(|file| !file.ends_with("/wrong") && !file.ends_with("/right"));
        assert!(files.is_empty(), "{files:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forced_is_noted_and_many_are_released_at_once() {
    let desk = Desk::new().await;
    let source = json!({ "name": "github", "provider": "github", "secret": "canary-other" });
    desk.http.post("/api/sources", &source).await.expect(201);
    for delivery in ["d-1", "d-2", "d-3"] {
        assert_eq!(desk.push(delivery).await, 401);
    }
    let newest = desk.refused().await;
    let path = format!("/api/sources/github/quarantine/{}", newest["id"].as_str().unwrap());
    let force = json!({ "force": true, "note": "known to be ours" });
    let forced = desk.http.post(&format!("{path}/release"), &force).await.expect(200).json();
    assert_eq!((&forced["forced"], &forced["note"]), (&json!(true), &json!("known to be ours")));
    assert_eq!(desk.events().await, 1);

    let all = "/api/sources/github/quarantine/release";
    let done =
        desk.http.post(all, &json!({ "code": "signature-mismatch" })).await.expect(200).json();
    assert_eq!((&done["released"], &done["refused"]), (&json!(0), &json!(2)), "{done}");

    // An update with a secret takes the place of the wrong one.
    let mended = json!({ "name": "github", "provider": "github", "secret": SECRET });
    let json_type = [("content-type".to_owned(), "application/json".to_owned())];
    let put = desk.http.send(Method::PUT, "/api/sources/github", &json_type, mended.to_string());
    put.await.expect(200);
    let done = desk.http.post(all, &json!({})).await.expect(200).json();
    assert_eq!((&done["released"], &done["refused"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(desk.events().await, 3);
    desk.http.send(Method::DELETE, &path, &[], "").await.expect(204);
    desk.http.get(&path).await.expect(404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_made_is_shown_once_and_the_old_one_counts_for_a_while() {
    let desk = Desk::new().await;
    let secret = desk.file("right", SECRET);
    desk.ok(&["source", "create", "github", "--provider", "github", "--secret", &secret]).await;
    let rotated = desk.ok(&["source", "rotate-secret", "github", "-o", "json"]).await;
    let rotated: Value = serde_json::from_str(&rotated).unwrap();
    let made = rotated["secret"].as_str().unwrap();
    assert_eq!(made.len(), 64, "{made}");
    assert!(rotated["secrets"][1]["notAfter"].is_string(), "{rotated}");
    assert_eq!(desk.push("d-1").await, 200, "the old one counts until the overlap ends");
    let body = github::push("main").to_string();
    let headers = github::headers(made, "push", "d-2", body.as_bytes());
    desk.http.send(Method::POST, "/webhooks/github", &headers, body).await.expect(200);
    let source = desk.get("/api/sources/github").await.to_string();
    assert!(!source.contains(made), "{source}");
    assert!(holders(desk.dir.path(), made.as_bytes()).is_empty());

    let sample = desk.ok(&["source", "test", "github", "-o", "json"]).await;
    let sample: Value = serde_json::from_str(&sample).unwrap();
    assert_eq!((&sample["verified"], &sample["diagnosis"]), (&json!(true), &json!([])), "{sample}");
    let sample = &sample["sample"];
    let headers = sample["headers"].as_object().unwrap();
    let headers: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect();
    let body = sample["body"].as_str().unwrap().to_owned();
    desk.http.send(Method::POST, "/webhooks/github", &headers, body).await.expect(200);
    assert!(!sample.to_string().contains(made) && !sample.to_string().contains(SECRET));
}
