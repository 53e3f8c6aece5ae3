//! The built-in receiver: stands for the service that somebody wants to be told.

use std::net::Ipv4Addr;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::error::Error;

/// One request that arrived.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Received {
    /// A header as text; `-` if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-")
    }
}

/// A listening receiver. It goes on as long as the program, so that rules that are tried after the
/// story find it too.
#[derive(Debug)]
pub(super) struct Receiver {
    url: String,
    arrivals: UnboundedReceiver<Received>,
}

impl Receiver {
    pub(super) async fn start() -> Result<Self, Error> {
        let failed = |error| Error::Demo(format!("the receiver cannot listen: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed)?;
        let url = format!("http://{}", listener.local_addr().map_err(failed)?);
        let (arrived, arrivals) = unbounded_channel();
        let router = Router::new().fallback(receive).with_state(arrived);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, arrivals })
    }

    /// Where it listens, such as `http://127.0.0.1:40123`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The next request that has arrived, if there is one.
    pub(super) fn arrival(&mut self) -> Option<Received> {
        self.arrivals.try_recv().ok()
    }
}

async fn receive(
    State(arrived): State<UnboundedSender<Received>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> &'static str {
    let received = Received { method, path: uri.path().to_owned(), headers, body };
    // After the story nobody listens any more; the answer is the same.
    let _ = arrived.send(received);
    "thanks"
}
