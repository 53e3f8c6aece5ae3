//! Requests as a receiver on this machine hears them, and what its answers mean.

use omni_clock::ManualClock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::samples::{call, event, pointers};

/// Seconds since 1970 on the clock of these tests: 14 Nov 2023 22:13:20 UTC.
const NOW: i64 = 1_700_000_000;

/// A receiver that answers one request with `reply`; gives its URL and what it heard.
async fn receiver(reply: &str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let reply = format!("HTTP/1.1 {reply}");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = Vec::new();
        while !is_whole(&heard) {
            assert_ne!(stream.read_buf(&mut heard).await.unwrap(), 0, "the client left");
        }
        stream.write_all(reply.as_bytes()).await.unwrap();
        String::from_utf8(heard).unwrap()
    });
    (url, heard)
}

fn is_whole(heard: &[u8]) -> bool {
    let text = String::from_utf8_lossy(heard);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn webhook() -> Webhook {
    let config = omni_egress::Config { allow_loopback: true, ..omni_egress::Config::default() };
    Webhook::new(Egress::new(config), Arc::new(ManualClock::at_unix(NOW)))
}

#[tokio::test]
async fn the_event_goes_out_with_its_ids() {
    let (url, heard) = receiver("202 Accepted\r\nContent-Length: 6\r\n\r\nthanks").await;
    let mut event = event();
    event.metadata.traceparent =
        Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let config = json!({ "url": url, "headers": { "X-Mine": 5 } });
    let result = webhook().run(&call(&event), config).await.unwrap();
    assert_eq!((&result["status"], &result["body"]), (&json!(202), &json!("thanks")));
    assert!(result["durationMs"].is_u64());
    let heard = heard.await.unwrap();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1\r\n"), "{head}");
    for header in [
        "idempotency-key: ab12",
        "x-omni-event-id: 00000000-0000-0000-0000-00000000002a",
        "x-correlation-id: c-1",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "content-type: application/json",
        "x-mine: 5",
    ] {
        assert!(head.lines().any(|line| line == header), "no {header} in {head}");
    }
    assert_eq!(body, serde_json::to_string(&event).unwrap());
    assert!(body.contains(r#""payload":{"total": 10.50}"#), "the payload is as it was sent");
}

#[tokio::test]
async fn the_rule_chooses_method_and_body() {
    let event = event();
    for (config, line, body) in [
        (json!({ "method": "put", "body": { "a": [1] } }), "PUT", r#"{"a":[1]}"#),
        (json!({ "body": null }), "POST", "null"),
        (json!({ "body": "text" }), "POST", r#""text""#),
        (
            json!({ "body": "a=1", "headers": { "Content-Type": "application/x-www-form-urlencoded" } }),
            "POST",
            "a=1",
        ),
        (json!({ "method": "GET" }), "GET", ""),
    ] {
        let (url, heard) = receiver("200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let mut config = config;
        config["url"] = url.into();
        webhook().run(&call(&event), config).await.unwrap();
        let heard = heard.await.unwrap();
        assert!(heard.starts_with(&format!("{line} /hook ")), "{heard}");
        assert_eq!(heard.split_once("\r\n\r\n").unwrap().1, body);
    }
}

#[tokio::test]
async fn answers_other_than_success_are_failures() {
    let event = event();
    for (status, retryable) in [
        ("302 Found\r\nLocation: http://10.0.0.1/", false),
        ("400 Bad Request", false),
        ("404 Not Found", false),
        ("408 Request Timeout", true),
        ("429 Too Many Requests", true),
        ("500 Internal Server Error", true),
        ("503 Service Unavailable", true),
    ] {
        let (url, _heard) = receiver(&format!("{status}\r\nContent-Length: 4\r\n\r\nwhy?")).await;
        let error = webhook().run(&call(&event), json!({ "url": url })).await.unwrap_err();
        assert_eq!(error.retryable, retryable, "{status}");
        assert!(error.message.contains(&status[..3]), "{error}");
        assert_eq!(error.result.unwrap()["body"], "why?");
        assert_eq!(error.retry_after, None);
    }
}

#[tokio::test]
async fn the_receivers_wait_is_handed_on() {
    let event = event();
    for (value, seconds) in [("7", 7), ("Tue, 14 Nov 2023 22:14:20 GMT", 60)] {
        let reply = format!("503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n");
        let (url, _heard) = receiver(&reply).await;
        let error = webhook().run(&call(&event), json!({ "url": url })).await.unwrap_err();
        assert_eq!(error.retry_after, Some(Duration::from_secs(seconds)), "{value}");
    }
}

#[tokio::test]
async fn a_long_reply_is_cut() {
    let reply = format!("200 OK\r\nContent-Length: 4000\r\n\r\n{}", "ü".repeat(2000));
    let (url, _heard) = receiver(&reply).await;
    let event = event();
    let result = webhook().run(&call(&event), json!({ "url": url })).await.unwrap();
    assert!(result["body"].as_str().unwrap().len() <= REPLY_MAX);
}

#[tokio::test]
async fn a_closed_address_is_a_permanent_failure() {
    let egress = Egress::new(omni_egress::Config::default());
    let guarded = Webhook::new(egress, Arc::new(ManualClock::at_unix(NOW)));
    let event = event();
    let config = json!({ "url": "http://169.254.169.254/latest/" });
    let error = guarded.run(&call(&event), config).await.unwrap_err();
    assert!(!error.retryable);
    assert_eq!(error.result, Some(json!({ "error": "refused" })));
}

#[tokio::test]
async fn the_call_bounds_the_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let event = event();
    let call = Call { timeout: Duration::from_millis(30), ..call(&event) };
    let config = json!({ "url": url, "timeoutMs": 60_000 });
    let error = webhook().run(&call, config).await.unwrap_err();
    assert!(error.retryable);
    assert_eq!(error.result, Some(json!({ "error": "timeout" })));
}

#[tokio::test]
async fn a_hostile_correlation_id_adds_no_header() {
    let (url, heard) = receiver("200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let mut event = event();
    event.metadata.correlation_id = "x\r\nX-Evil: 1".into();
    webhook().run(&call(&event), json!({ "url": url, "body": 1 })).await.unwrap();
    let heard = heard.await.unwrap().to_lowercase();
    assert!(!heard.contains("evil") && !heard.contains("x-correlation-id"), "{heard}");
}

#[test]
fn templates_pass_and_faults_are_placed() {
    for good in [
        json!({ "url": "https://example.com/{{ payload.id }}" }),
        json!({ "url": "{{ payload.url }}", "timeoutMs": "{{ payload.wait }}", "headers": { "X-A": "{{ payload.a }}" } }),
        json!({ "url": "http://a.example", "headers": "{{ payload.headers }}", "body": null }),
    ] {
        assert_eq!(webhook().check(&good), [], "{good}");
    }
    for (bad, pointer) in [
        (json!({}), ""),
        (json!({ "url": "ftp://a.example" }), "/url"),
        (json!({ "url": "nothing" }), "/url"),
        (json!({ "url": "http://a.example", "method": "CONNECT" }), "/method"),
        (json!({ "url": "http://a.example", "method": "a b" }), "/method"),
        (json!({ "url": "http://a.example", "timeoutMs": 0 }), "/timeoutMs"),
        (json!({ "url": "http://a.example", "timeoutMs": 60_001 }), "/timeoutMs"),
        (json!({ "url": "http://a.example", "timeoutMs": "soon" }), "/timeoutMs"),
        (json!({ "url": "http://a.example", "headers": { "Host": "b" } }), "/headers/Host"),
        (
            json!({ "url": "http://a.example", "headers": { "content-length": 1 } }),
            "/headers/content-length",
        ),
        (
            json!({ "url": "http://a.example", "headers": { "Idempotency-Key": "b" } }),
            "/headers/Idempotency-Key",
        ),
        (json!({ "url": "http://a.example", "headers": { "a/b": "c" } }), "/headers/a~1b"),
        (json!({ "url": "http://a.example", "headers": { "X-A": "b\r\nc" } }), "/headers/X-A"),
        (json!({ "url": "http://a.example", "headers": { "X-A": [] } }), "/headers/X-A"),
        (json!({ "url": "http://a.example", "verify": false }), "/verify"),
    ] {
        assert_eq!(pointers(&webhook().check(&bad)), [pointer], "{bad}");
    }
}
