//! Whole exchanges with real sockets on this machine: what a receiver may do to us.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use omni_egress::{Config, Egress, Error, Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What the receiver does with a connection after it has read one request.
#[derive(Clone)]
enum Play {
    /// Writes these bytes and closes.
    Say(String),
    /// Writes these bytes, then the second text again and again until the client leaves.
    Repeat(&'static str, String),
    /// Writes these bytes and resets the connection.
    Reset(&'static str),
    /// Keeps the connection open and says nothing.
    Silence,
}

/// A receiver on a free port. Gives back what it read from each connection.
async fn receiver(play: Play) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let (heard, requests) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, play.clone(), heard.clone()));
        }
    });
    (address, requests)
}

async fn serve(
    mut stream: TcpStream,
    play: Play,
    heard: tokio::sync::mpsc::UnboundedSender<String>,
) {
    let mut buffer = vec![0; 16 * 1024];
    let read = stream.read(&mut buffer).await.unwrap_or(0);
    let _ = heard.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
    match play {
        Play::Say(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Play::Repeat(head, text) => {
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(text.as_bytes()).await.is_ok() {}
            let _ = heard.send("left".into());
        }
        Play::Reset(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.set_zero_linger();
        }
        Play::Silence => pending().await,
    }
}

fn local() -> Egress {
    Egress::new(Config { allow_loopback: true, ..Config::default() })
}

fn get(url: String) -> Request {
    Request::new(Method::GET, Url::parse(&url).expect("a URL"))
}

async fn send(play: Play) -> Result<Response, Error> {
    let (address, _requests) = receiver(play).await;
    local().send(get(format!("http://{address}/"))).await
}

#[tokio::test]
async fn a_request_goes_out_as_given_and_the_reply_comes_back() {
    let reply = "HTTP/1.1 201 Created\r\nX-Seen: yes\r\nContent-Length: 2\r\n\r\nok";
    let (address, mut requests) = receiver(Play::Say(reply.into())).await;
    let mut request = get(format!("http://{address}/hook?a=1"));
    request.method = Method::POST;
    request.body = Bytes::from_static(b"{\"a\":1}");
    request.headers.insert("x-mine", HeaderValue::from_static("1"));
    let response = local().send(request).await.unwrap();
    assert_eq!(response.status, StatusCode::CREATED);
    assert_eq!(response.headers["x-seen"], "yes");
    assert_eq!(response.body, "ok");
    assert!(!response.truncated);
    assert!(response.elapsed > Duration::ZERO);
    let heard = requests.recv().await.unwrap();
    assert!(heard.starts_with("POST /hook?a=1 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {address}\r\n")), "{heard}");
    assert!(heard.contains("x-mine: 1\r\n"), "{heard}");
    assert!(heard.contains("content-length: 7\r\n"), "{heard}");
    assert!(heard.contains("user-agent: omni/"), "{heard}");
    assert!(!heard.contains("accept-encoding"), "{heard}");
}

#[tokio::test]
async fn redirects_are_answers() {
    let (target, mut visits) = receiver(Play::Silence).await;
    let reply =
        format!("HTTP/1.1 302 Found\r\nLocation: http://{target}/\r\nContent-Length: 0\r\n\r\n");
    let response = send(Play::Say(reply)).await.unwrap();
    assert_eq!(response.status, StatusCode::FOUND);
    assert!(visits.try_recv().is_err(), "the redirect was followed");
}

#[tokio::test]
async fn names_are_looked_up_and_their_addresses_checked() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (address, mut requests) = receiver(Play::Say(reply.into())).await;
    let url = format!("http://localhost:{}/", address.port());
    let error = Egress::new(Config::default()).send(get(url.clone())).await.unwrap_err();
    assert!(matches!(&error, Error::Refused { host, rule: "loopback" } if host == "localhost"));
    assert!(requests.try_recv().is_err(), "the receiver was contacted");
    assert_eq!(local().send(get(url)).await.unwrap().status, StatusCode::OK);
}

#[tokio::test]
async fn closed_addresses_are_refused_with_host_and_rule() {
    let guarded = Egress::new(Config::default());
    for (url, rule) in [
        ("http://127.0.0.1/", "loopback"),
        ("http://0x7f.1/", "loopback"),
        ("http://2130706433/", "loopback"),
        ("http://[::1]/", "loopback"),
        ("https://10.0.0.1/", "private"),
        ("http://169.254.169.254/latest/meta-data/", "cloud metadata"),
        ("http://[::ffff:169.254.169.254]/", "IPv4-mapped"),
        ("http://0.0.0.0/", "this network"),
    ] {
        let error = guarded.send(get(url.into())).await.unwrap_err();
        assert_eq!((error.class(), error.is_retryable()), ("refused", false), "{url}");
        assert!(error.to_string().contains(rule), "{url}: {error}");
        assert!(!error.to_string().contains("meta-data"), "{error}");
    }
}

#[tokio::test]
async fn the_open_configuration_reaches_this_machine() {
    let reply = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (address, _requests) = receiver(Play::Say(reply.into())).await;
    let open = Egress::new(Config::open());
    assert!(open.send(get(format!("http://{address}/"))).await.is_ok());
}

#[tokio::test]
async fn a_silent_receiver_times_out() {
    let (address, _requests) = receiver(Play::Silence).await;
    let mut request = get(format!("http://{address}/"));
    request.timeout = Some(Duration::from_millis(50));
    let error = local().send(request).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after, .. } if after == Duration::from_millis(50)));
    assert_eq!((error.class(), error.is_retryable()), ("timeout", true));
}

#[tokio::test]
async fn a_silent_tls_handshake_ends_with_the_connect_time() {
    let (address, _requests) = receiver(Play::Silence).await;
    let connect_timeout = Duration::from_millis(50);
    let config = Config { allow_loopback: true, connect_timeout, ..Config::default() };
    let error = Egress::new(config).send(get(format!("https://{address}/"))).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { after, .. } if after == connect_timeout), "{error}");
}

#[tokio::test]
async fn an_endless_body_is_cut() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (address, mut requests) = receiver(Play::Repeat(head, "x".repeat(8000))).await;
    let response = local().send(get(format!("http://{address}/"))).await.unwrap();
    assert_eq!(response.body.len(), 64 * 1024);
    assert!(response.truncated);
    requests.recv().await.unwrap();
    assert_eq!(requests.recv().await.unwrap(), "left", "the connection was not closed");
}

#[tokio::test]
async fn a_body_of_exactly_the_limit_is_whole() {
    let body = "y".repeat(10);
    let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{body}");
    let (address, _requests) = receiver(Play::Say(reply)).await;
    for (response_max, truncated) in [(10, false), (9, true), (0, true)] {
        let config = Config { allow_loopback: true, response_max, ..Config::default() };
        let response = Egress::new(config).send(get(format!("http://{address}/"))).await.unwrap();
        assert_eq!((response.body.len(), response.truncated), (response_max, truncated));
    }
}

#[tokio::test]
async fn endless_headers_are_cut() {
    let play = Play::Repeat("HTTP/1.1 200 OK\r\n", "X-More: and more\r\n".repeat(100));
    assert_eq!(send(play).await.unwrap_err().class(), "protocol");
    let play = Play::Repeat("HTTP/1.1 200 OK\r\nX-Long: ", "z".repeat(8000));
    assert_eq!(send(play).await.unwrap_err().class(), "protocol");
}

#[tokio::test]
async fn broken_replies_are_errors() {
    for play in [
        Play::Say("this is not HTTP\r\n\r\n".into()),
        Play::Say(String::new()),
        Play::Say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".into()),
        Play::Reset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
        Play::Reset(""),
    ] {
        let error = send(play).await.unwrap_err();
        assert_eq!((error.class(), error.is_retryable()), ("protocol", true), "{error:?}");
    }
}

#[tokio::test]
async fn a_plain_receiver_behind_https_is_a_tls_error() {
    let reply = "HTTP/1.1 400 Bad Request\r\n\r\n";
    let (address, _requests) = receiver(Play::Say(reply.into())).await;
    let error = local().send(get(format!("https://{address}/"))).await.unwrap_err();
    assert_eq!(error.class(), "tls", "{error:?}");
}

#[tokio::test]
async fn a_closed_port_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = local().send(get(format!("http://{address}/"))).await.unwrap_err();
    assert_eq!((error.class(), error.is_retryable()), ("connect", true));
    assert!(error.to_string().contains("127.0.0.1"));
}

#[tokio::test]
async fn an_unknown_name_is_a_resolve_error() {
    let error = local().send(get("http://nowhere.invalid/".into())).await.unwrap_err();
    assert_eq!((error.class(), error.is_retryable()), ("resolve", true), "{error:?}");
}
