//! Opening a connection. What must stay true: the addresses that were checked are the addresses
//! that are dialled (one look-up, no second one), an address literal is checked too, and the peer
//! of an open socket is checked again before a byte is sent.

use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use std::vec::IntoIter;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::config::Config;
use crate::error::{Refusal, Unresolved};
use crate::guard::{self, Verdict};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Looks a name up and hands on only the addresses that the guard allows.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub(crate) Arc<Config>);

impl Service<Name> for Resolver {
    type Response = IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let config = Arc::clone(&self.0);
        async move {
            // Port 0: the connector puts in the port of the URL.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(Unresolved)?;
            Ok(keep_allowed(found.collect(), &config)?.into_iter())
        }
        .boxed()
    }
}

/// Drops closed addresses; an error names the first rule when nothing is left.
fn keep_allowed(found: Vec<SocketAddr>, config: &Config) -> Result<Vec<SocketAddr>, BoxError> {
    let mut kept = Vec::with_capacity(found.len());
    let mut refused = None;
    for address in found {
        match guard::verdict(address.ip(), config) {
            Verdict::Allowed => kept.push(address),
            Verdict::Refused(rule) => refused = refused.or(Some(rule)),
        }
    }
    match refused {
        Some(rule) if kept.is_empty() => Err(Refusal(rule).into()),
        None if kept.is_empty() => {
            Err(Unresolved(io::Error::new(io::ErrorKind::NotFound, "no address")).into())
        }
        _ => Ok(kept),
    }
}

/// A TCP connector between two checks: the literal before, the peer after.
#[derive(Clone, Debug)]
pub(crate) struct Guarded<C> {
    inner: C,
    config: Arc<Config>,
}

impl<C> Guarded<C> {
    pub(crate) fn new(inner: C, config: Arc<Config>) -> Self {
        Self { inner, config }
    }
}

impl<C> Service<Uri> for Guarded<C>
where
    C: Service<Uri, Response = TokioIo<TcpStream>>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // The resolver never sees a literal, so this is its only check before dialling.
        if let Some(literal) = literal(&uri)
            && let Verdict::Refused(rule) = guard::socket_verdict(literal, None, &self.config)
        {
            return ready(Err(Refusal(rule).into())).boxed();
        }
        let config = Arc::clone(&self.config);
        let connecting = self.inner.call(uri);
        async move {
            let stream = connecting.await.map_err(Into::into)?;
            let peer = stream.inner().peer_addr()?;
            let local = stream.inner().local_addr()?.ip();
            match guard::socket_verdict(peer, Some(local), &config) {
                Verdict::Allowed => Ok(stream),
                Verdict::Refused(rule) => Err(Refusal(rule).into()),
            }
        }
        .boxed()
    }
}

/// The socket address in a URL that has an address for a host.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let ip: IpAddr = bare.parse().ok()?;
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    Some(SocketAddr::new(ip, uri.port_u16().unwrap_or(default)))
}

/// Bounds look-up, TCP and TLS together. The HTTP client may leave a half-made connection to a
/// task of its own; without this bound a silent peer would keep that task for ever.
#[derive(Clone, Debug)]
pub(crate) struct Timed<C> {
    inner: C,
    limit: Duration,
}

impl<C> Timed<C> {
    pub(crate) fn new(inner: C, limit: Duration) -> Self {
        Self { inner, limit }
    }
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
    C::Response: 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = self.inner.call(uri);
        async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests;
