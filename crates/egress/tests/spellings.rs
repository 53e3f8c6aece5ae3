//! Every way to spell an address of this machine, against listeners that count who comes.
#![expect(clippy::expect_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use omni_egress::{Config, Egress, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

/// Hosts that lead to this machine, or to nothing; a place for the port is added behind.
const HOSTS: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0x7f.0x0.0x0.0x1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "00000177.1",
    "127.0.0.1.",
    "127.0.0.0x1",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.0.0.1",
    "0.0.0.0",
    "0",
    "0x0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[::ffff:0:127.0.0.1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ⓛocalhost",
    "sub.localhost",
    "ip6-localhost",
    "user@127.0.0.1",
    "example.com@127.0.0.1",
    "127.0.0.1\\@example.com",
    "example.com#@127.0.0.1",
    "[::1%25lo]",
    "[::1%lo]",
];

/// Counts requests on the same port of both families, where there are two.
async fn listeners() -> (u16, Arc<AtomicUsize>) {
    let visits = Arc::new(AtomicUsize::new(0));
    let four = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = four.local_addr().expect("its address").port();
    let six = TcpListener::bind(("::1", port)).await.ok();
    for listener in [Some(four), six].into_iter().flatten() {
        let visits = Arc::clone(&visits);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // Opened and closed again without a byte is what a judgement of the open connection looks like.
                if stream.read(&mut [0; 1024]).await.unwrap_or(0) > 0 {
                    visits.fetch_add(1, Ordering::SeqCst);
                }
                let reply = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret";
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
    }
    (port, visits)
}

/// Tries every spelling; gives those that were answered.
async fn answered(egress: &Egress, port: u16) -> Vec<String> {
    let mut answered = Vec::new();
    for host in HOSTS {
        for scheme in ["http", "https"] {
            // What the parser refuses cannot become a request.
            let Ok(url) = Url::parse(&format!("{scheme}://{host}:{port}/")) else { continue };
            if egress.send(Request::new(Method::GET, url.clone())).await.is_ok() {
                answered.push(url.to_string());
            }
        }
    }
    answered
}

#[tokio::test]
async fn no_spelling_of_this_machine_is_reached() {
    let (port, visits) = listeners().await;
    let guarded = Egress::new(Config::default());
    assert_eq!(answered(&guarded, port).await, Vec::<String>::new());
    assert_eq!(visits.load(Ordering::SeqCst), 0, "a socket was opened and written to");
}

#[tokio::test]
async fn no_spelling_reaches_our_own_listener_though_loopback_is_open() {
    let (port, visits) = listeners().await;
    for own in [format!("0.0.0.0:{port}"), format!("[::]:{port}")] {
        let listeners = vec![own.parse().expect("an address")];
        let config = Config { allow_loopback: true, listeners, ..Config::default() };
        assert_eq!(answered(&Egress::new(config), port).await, Vec::<String>::new(), "{own}");
    }
    // A connection by name is judged when it is open, before a byte is sent.
    assert_eq!(visits.load(Ordering::SeqCst), 0, "bytes were sent to our own listener");
}

#[tokio::test]
async fn the_spellings_do_lead_to_this_machine() {
    let (port, visits) = listeners().await;
    let open = Config { allow_loopback: true, ..Config::default() };
    let reached = answered(&Egress::new(open), port).await;
    assert!(reached.len() >= 10, "the other tests show nothing: {reached:?}");
    assert!(visits.load(Ordering::SeqCst) >= reached.len());
}
