//! What a hostile sender puts on the wire: bombs of headers and bodies, floods of HTTP/2, requests that two readers may
//! read differently.

use std::process::Stdio;

use http::Method;
use omni_testing::{Http, PATIENCE, TestApp, eventually};
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, time::timeout};

use crate::{
    process::Process,
    wire::{Wire, delivery, refused},
};

/// What a server answers to bytes.
async fn answer(app: &TestApp, bytes: impl AsRef<[u8]>) -> String {
    let mut wire = Wire::open(app.addr()).await;
    wire.say(bytes).await;
    wire.rest_as_text().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_or_too_long_headers_are_refused() {
    let app = TestApp::start_as(|_| {}).await;
    let request = |headers: &str| {
        format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
    };
    let many = |count: usize| {
        let lines: Vec<_> = (0..count).map(|n| format!("X-{n}: 1\r\n")).collect();
        lines.concat()
    };
    let long = |length: usize| format!("X: {}\r\n", "a".repeat(length));
    for fine in [many(98), long(60 * 1024)] {
        let answer = answer(&app, request(&fine)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let bombs = [many(99), many(20_000), long(64 * 1024), long(8 * 1024 * 1024)];
    for bomb in &bombs {
        let answer = answer(&app, request(bomb)).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100_000));
    let answer = answer(&app, path).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(refused(&app.http, "head_too_large").await >= bombs.len() as u64);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_end_ends_at_the_limit() {
    let app = TestApp::start_as(|_| {}).await;
    app.add_github().await;
    let mut wire = Wire::open(app.addr()).await;
    wire.say("POST /webhooks/github HTTP/1.1\r\nHost: a\r\nX-GitHub-Event: push\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let (mut read, mut write) = wire.0.into_split();
    let endless = tokio::spawn(async move {
        let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "a".repeat(64 * 1024));
        let mut sent = 0;
        while write.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len();
        }
        sent
    });
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    let _ = timeout(PATIENCE, reading).await.expect("it ends");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    drop(read);
    let sent = timeout(PATIENCE, endless).await.unwrap().unwrap();
    assert!(sent < 64 * 1024 * 1024, "{sent} bytes were taken");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_all_share_one_memory() {
    let app = TestApp::start_as(|config| config.body_memory_mib = 1).await;
    app.add_github().await;
    let body = json!({ "ref": "a".repeat(700 * 1024) }).to_string();
    eventually("one is taken and there is no memory for another", async || {
        // Whichever is read first has the memory, and where both are read in turns both may be refused.
        let mut first = Wire::open(app.addr()).await;
        first.say(delivery("d-1", &body)).await;
        first.say(&body[..body.len() - 1]).await;
        let mut second = Wire::open(app.addr()).await;
        second.say(delivery("d-2", &body)).await;
        second.say(&body).await;
        let status = second.status().await;
        assert!(matches!(status, Some(200 | 503)), "{status:?}");
        first.say(&body[body.len() - 1..]).await;
        (status == Some(503) && first.status().await == Some(200)).then_some(())
    })
    .await;
    assert!(refused(&app.http, "memory").await >= 1);
    app.deliver("push", "d-3", &body).await.expect(200);
    app.finish().await;
}

/// A body that grows a thousandfold when it is unpacked is never unpacked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gzip_bomb_costs_no_more_than_its_bytes() {
    let packed = tokio::process::Command::new("sh")
        .args(["-c", "head -c 500000000 /dev/zero | gzip -9"])
        .stderr(Stdio::null())
        .output()
        .await
        .unwrap()
        .stdout;
    assert!((100_000..1_000_000).contains(&packed.len()), "{}", packed.len());
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(dir.path()).await;
    let http = Http::new(&server.url);
    http.post("/api/sources", &json!({ "name": "open" })).await.expect(201);
    let before = server.peak_memory_kib();
    for encoding in ["gzip", "deflate", "br", "gzip, gzip"] {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reply = http.send(Method::POST, "/webhooks/open", &headers, packed.clone()).await;
        assert!(!reply.status.is_server_error(), "{}", reply.text());
        let reply = http.send(Method::POST, "/api/events/trigger", &headers, packed.clone()).await;
        assert!(reply.status.is_client_error(), "{}", reply.text());
    }
    let grown = server.peak_memory_kib() - before;
    assert!(grown < 100 * 1024, "the process grew by {grown} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_two_readers_may_read_differently_smuggle_nothing() {
    let app = TestApp::start_as(|_| {}).await;
    app.http.post("/api/sources", &json!({ "name": "open" })).await.expect(201);
    let post = |headers: &str, body: &str| {
        format!("POST /webhooks/open HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
    };
    let smuggled = "DELETE /api/sources/open HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for headers in [
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: 2, 3\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: -2\r\n",
        "Content-Length: 0x2\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length : 2\r\n",
        "X: a\r\n Content-Length: 2\r\n",
        "X\n\n: a\r\n",
    ] {
        let answer = answer(&app, post(headers, smuggled)).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers:?}: {answer}");
    }
    // Both lengths: the chunks count, and the connection ends there, so that nothing behind them is ever a request.
    for headers in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    ] {
        let answer =
            answer(&app, post(headers, &format!("2\r\n{{}}\r\n0\r\n\r\n{smuggled}"))).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{headers:?}: {answer}");
    }
    // A length in chunks that does not fit, and one with more in it than digits.
    for body in ["ffffffffffffffff0\r\n", "-2\r\n{}\r\n0\r\n\r\n", "0x2\r\n{}\r\n0\r\n\r\n"] {
        let answer = answer(&app, post("Transfer-Encoding: chunked\r\n", body)).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{body:?}: {answer}");
    }
    app.http.get("/api/sources/open").await.expect(200);
    assert!(refused(&app.http, "malformed").await >= 12);
    app.finish().await;
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `GET http:///`, by the static table of HPACK.
const GET: [u8; 3] = [0x82, 0x86, 0x84];

async fn http2(app: &TestApp) -> Wire {
    let mut wire = Wire::open(app.addr()).await;
    wire.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    wire.say(frame(SETTINGS, 0, 0, &[])).await;
    wire
}

/// The kinds of the frames in an answer.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, ..] = *bytes {
        kinds.push(kind);
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    kinds
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_at_once_end_the_connection() {
    let app = TestApp::start_as(|_| {}).await;
    let mut wire = http2(&app).await;
    let (mut read, mut write) = wire.0.split();
    let reset = async {
        for number in 0..20_000 {
            let stream = 2 * number + 1;
            let open = frame(HEADERS, END_STREAM | END_HEADERS, stream, &GET);
            let cancel = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
            if write.write_all(&[open, cancel].concat()).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    let both = async { tokio::join!(reset, reading) };
    let _ = timeout(PATIENCE, both).await.expect("the connection is closed");
    assert!(kinds(&answer).contains(&GOAWAY), "{:?}", kinds(&answer));
    app.http.get("/healthz").await.expect(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_http2_without_end_end_the_connection() {
    let app = TestApp::start_as(|_| {}).await;
    let mut wire = http2(&app).await;
    let (mut read, mut write) = wire.0.split();
    let endless = async {
        let open = frame(HEADERS, END_STREAM, 1, &GET);
        let _ = write.write_all(&open).await;
        // A header of 100 bytes that no table knows, again and again.
        let field = [&[0x00, 0x01, b'x', 100][..], &[b'a'; 100]].concat().repeat(100);
        let more = frame(CONTINUATION, 0, 1, &field);
        for _ in 0..10_000 {
            if write.write_all(&more).await.is_err() {
                return;
            }
        }
    };
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut answer);
    let both = async { tokio::join!(endless, reading) };
    let _ = timeout(PATIENCE, both).await.expect("the connection is closed");
    app.http.get("/healthz").await.expect(200);
    app.finish().await;
}
