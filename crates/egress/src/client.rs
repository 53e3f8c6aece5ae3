//! The client. What must stay true: one exchange is one request to the host of the URL (no
//! redirect, no proxy), it ends in bounded time, and it keeps a bounded reply.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::Instant;

use crate::config::Config;
use crate::connect::{Guarded, Resolver, Timed};
use crate::error::Error;
use crate::request::{self, Request, Response};

/// Receivers send a dozen headers; a hundred is generous.
const HEADERS_MAX: usize = 100;
/// Status line and headers together, for HTTP/1.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Headers together, for HTTP/2.
const HEADER_LIST_MAX: u32 = 64 * 1024;
/// What an HTTP/2 peer may send ahead of our reading. Replies are small.
const WINDOW: u32 = 128 * 1024;
/// Idle connections go before the peer's usual 60 s, so that few requests meet a closing one.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Idle connections kept for one host.
const IDLE_PER_HOST: usize = 16;
/// Sent when the caller names none.
const AGENT: &str = concat!("omni/", env!("CARGO_PKG_VERSION"));

type Connector = Timed<HttpsConnector<Guarded<HttpConnector<Resolver>>>>;

/// The one way out. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct Egress {
    client: Client<Connector, Full<Bytes>>,
    config: Arc<Config>,
}

impl Egress {
    /// Makes a client. Opens nothing yet; needs a tokio runtime only when it sends.
    pub fn new(config: Config) -> Self {
        let config = Arc::new(config);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .pool_max_idle_per_host(IDLE_PER_HOST)
            .http1_max_headers(HEADERS_MAX)
            .http1_max_buf_size(HEADER_BYTES_MAX)
            .http2_max_header_list_size(HEADER_LIST_MAX)
            .http2_initial_stream_window_size(WINDOW)
            .http2_initial_connection_window_size(WINDOW)
            .build(connector(&config));
        Self { client, config }
    }

    /// Sends one request and reads its reply.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] when the guard closes the address; see [`Error::is_retryable`] for the
    /// rest. A reply with any status is `Ok`.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let started = Instant::now();
        let (host, uri) = request::check(&request)?;
        let limit = request.timeout.unwrap_or(self.config.timeout);
        let exchange = self.exchange(&host, into_http(request, uri));
        let mut sent = match tokio::time::timeout(limit, exchange).await {
            Ok(sent) => sent,
            Err(_) => Err(Error::Timeout { host: host.clone(), after: limit }),
        };
        match &mut sent {
            Ok(response) => response.elapsed = started.elapsed(),
            Err(Error::Refused { rule, .. }) => tracing::warn!(%host, rule, "address refused"),
            Err(error) => tracing::debug!(%host, class = error.class(), "exchange failed"),
        }
        sent
    }

    /// Sends one request and leaves its reply to be read as it comes, for replies that do not end by themselves. The
    /// timeout bounds the wait for the head and for each piece.
    ///
    /// # Errors
    ///
    /// As [`Self::send`]. A reply with any status is `Ok`.
    pub async fn open(&self, request: Request) -> Result<Streaming, Error> {
        let (host, uri) = request::check(&request)?;
        let limit = request.timeout.unwrap_or(self.config.timeout);
        let reply = self.reply(&host, into_http(request, uri));
        let reply = match tokio::time::timeout(limit, reply).await {
            Ok(reply) => reply?,
            Err(_) => return Err(Error::Timeout { host, after: limit }),
        };
        let (head, body) = reply.into_parts();
        Ok(Streaming { status: head.status, headers: head.headers, host, limit, body })
    }

    async fn reply(
        &self,
        host: &str,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, Error> {
        let connect = self.config.connect_timeout;
        let reply = self.client.request(request).await;
        reply.map_err(|error| Error::from_client(host.to_owned(), error, connect))
    }

    async fn exchange(
        &self,
        host: &str,
        request: http::Request<Full<Bytes>>,
    ) -> Result<Response, Error> {
        let (head, mut body) = self.reply(host, request).await?.into_parts();
        let mut kept = BytesMut::new();
        let mut truncated = false;
        while let Some(frame) = body.frame().await {
            let protocol = |error: _| Error::Protocol { host: host.to_owned(), source: error };
            let frame = frame.map_err(|error| protocol(Box::new(error)))?;
            let Ok(data) = frame.into_data() else { continue };
            let room = self.config.response_max - kept.len();
            truncated = data.len() > room;
            kept.extend_from_slice(&data[..data.len().min(room)]);
            if truncated {
                break;
            }
        }
        Ok(Response {
            status: head.status,
            headers: head.headers,
            body: kept.freeze(),
            truncated,
            elapsed: Duration::ZERO,
        })
    }
}

/// A reply that is read as it comes.
#[derive(Debug)]
pub struct Streaming {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    host: String,
    limit: Duration,
    body: Incoming,
}

impl Streaming {
    /// The next piece; `None` when the reply has ended.
    ///
    /// # Errors
    ///
    /// When nothing comes in time, or the reply breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = match tokio::time::timeout(self.limit, self.body.frame()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(None),
                Err(_) => {
                    return Err(Error::Timeout { host: self.host.clone(), after: self.limit });
                }
            };
            let host = || self.host.clone();
            let frame =
                frame.map_err(|error| Error::Protocol { host: host(), source: error.into() })?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

fn into_http(request: Request, uri: http::Uri) -> http::Request<Full<Bytes>> {
    let mut out = http::Request::new(Full::new(request.body));
    *out.method_mut() = request.method;
    *out.uri_mut() = uri;
    *out.headers_mut() = request.headers;
    out.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    out
}

/// Outside in: a bound on time, TLS, the two checks, TCP with the filtering resolver.
fn connector(config: &Arc<Config>) -> Connector {
    let mut tcp = HttpConnector::new_with_resolver(Resolver(Arc::clone(config)));
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    // Divided over the addresses of a name, so that a dead first one leaves time for the second.
    tcp.set_connect_timeout(Some(config.connect_timeout));
    // The provider is passed here, so no process-wide one is needed.
    #[expect(clippy::expect_used, reason = "the ring provider has TLS 1.2 and 1.3 suites")]
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::ring::default_provider())
        .expect("the default protocol versions of the ring provider")
        .https_or_http()
        .enable_all_versions()
        .wrap_connector(Guarded::new(tcp, Arc::clone(config)));
    Timed::new(tls, config.connect_timeout)
}
