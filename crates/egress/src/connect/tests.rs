//! The two checks around a connector that dials somewhere else than it was told, and the filter
//! of look-ups.

use hyper_util::client::legacy::connect::HttpConnector;
use tokio::net::TcpListener;

use super::*;

/// Dials one address whatever it is asked, as after a name that changed between two look-ups.
#[derive(Clone)]
struct Rebound(SocketAddr);

impl Service<Uri> for Rebound {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        TcpStream::connect(self.0).map(|stream| stream.map(TokioIo::new)).boxed()
    }
}

fn refusal<T>(result: Result<T, BoxError>) -> &'static str {
    result.err().expect("a refusal").downcast::<Refusal>().expect("a refusal").0
}

#[tokio::test]
async fn the_peer_is_checked_after_connecting() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rebound = Rebound(listener.local_addr().unwrap());
    let mut guarded = Guarded::new(rebound, Arc::new(Config::default()));
    for uri in ["http://example.com/", "http://93.184.216.34/"] {
        assert_eq!(refusal(guarded.call(uri.parse().unwrap()).await), "loopback", "{uri}");
        // The connection was made and closed without a byte.
        let (mut peer, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut received).await.unwrap();
        assert!(received.is_empty());
    }
}

#[tokio::test]
async fn a_literal_is_checked_before_dialling() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut guarded = Guarded::new(HttpConnector::new(), Arc::new(Config::default()));
    let uri: Uri = format!("http://{address}/").parse().unwrap();
    assert_eq!(refusal(guarded.call(uri.clone()).await), "loopback");
    assert!(listener.accept().now_or_never().is_none(), "a connection was made");

    let open = Config { allow_loopback: true, ..Config::default() };
    assert!(Guarded::new(HttpConnector::new(), Arc::new(open)).call(uri.clone()).await.is_ok());

    let own = Config { allow_loopback: true, listeners: vec![address], ..Config::default() };
    let mut own = Guarded::new(HttpConnector::new(), Arc::new(own));
    assert_eq!(refusal(own.call(uri).await), "own listener");
}

#[test]
fn literals_of_both_families_are_recognised() {
    let of = |uri: &str| literal(&uri.parse().unwrap()).map(|address| address.to_string());
    assert_eq!(of("http://127.0.0.1/").as_deref(), Some("127.0.0.1:80"));
    assert_eq!(of("https://[::1]/").as_deref(), Some("[::1]:443"));
    assert_eq!(of("http://[::ffff:7f00:1]:81/").as_deref(), Some("[::ffff:127.0.0.1]:81"));
    assert_eq!(of("http://example.com/"), None);
}

#[test]
fn a_look_up_keeps_only_open_addresses() {
    let found = |list: &[&str]| {
        let list = list.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        keep_allowed(list, &Config::default())
    };
    let mixed = found(&["10.0.0.1", "8.8.8.8", "::1"]).unwrap();
    assert_eq!(mixed, [SocketAddr::from(([8, 8, 8, 8], 0))]);
    assert_eq!(refusal(found(&["10.0.0.1", "::1"])), "private");
    assert!(found(&[]).unwrap_err().is::<Unresolved>());
}
