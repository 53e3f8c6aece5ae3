//! A fake HTTP receiver: keeps what it gets and answers as it is told.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{Router, extract::State};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use tokio::{net::TcpListener, sync::watch};

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path with the query.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Received {
    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON, null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// An HTTP server on a port of its own; it ends with the test.
#[derive(Clone, Debug)]
pub struct Receiver {
    addr: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    got: watch::Sender<Vec<Received>>,
    /// Answers that are still to be given, first to last; afterwards 200.
    planned: Mutex<Vec<StatusCode>>,
    /// Whether answers are given.
    open: watch::Sender<bool>,
}

impl Receiver {
    /// Starts listening.
    ///
    /// # Panics
    /// When the machine has no port left.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts listening on this address.
    ///
    /// # Panics
    /// When it is taken.
    #[expect(clippy::expect_used, reason = "a test fails by panicking")]
    pub async fn start_at(addr: SocketAddr) -> Self {
        let listener = TcpListener::bind(addr).await.expect("a free port");
        let addr = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            got: watch::Sender::default(),
            planned: Mutex::default(),
            open: watch::Sender::new(true),
        });
        let router = Router::new().fallback(receive).with_state(shared.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        Self { addr, shared }
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The next answers, first to last; afterwards it is 200 again.
    pub fn answer_next(&self, statuses: &[u16]) {
        let statuses = statuses.iter().filter_map(|status| StatusCode::from_u16(*status).ok());
        self.shared.planned.lock().unwrap_or_else(PoisonError::into_inner).extend(statuses);
    }

    /// Takes requests from now on, but answers none.
    pub fn hold(&self) {
        self.shared.open.send_replace(false);
    }

    /// Answers everything again, also what was held.
    pub fn release(&self) {
        self.shared.open.send_replace(true);
    }

    /// Everything received so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.got.borrow().clone()
    }

    /// Waits until so many requests have come, and returns all.
    ///
    /// # Panics
    /// When they do not come within the time a test has.
    #[expect(clippy::panic, reason = "a test fails by panicking")]
    pub async fn wait_for(&self, count: usize) -> Vec<Received> {
        let mut got = self.shared.got.subscribe();
        let enough = got.wait_for(|got| got.len() >= count);
        let enough = tokio::time::timeout(crate::PATIENCE, enough).await;
        let come = enough.ok().and_then(Result::ok).map(|got| got.clone());
        come.unwrap_or_else(|| panic!("{} of {count} requests came", self.received().len()))
    }
}

async fn receive(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let received = Received { method, path: uri.to_string(), headers, body };
    shared.got.send_modify(|got| got.push(received));
    // The sender is in `shared`, so it is there.
    let _ = shared.open.subscribe().wait_for(|open| *open).await;
    let mut planned = shared.planned.lock().unwrap_or_else(PoisonError::into_inner);
    if planned.is_empty() { StatusCode::OK } else { planned.remove(0) }
}
