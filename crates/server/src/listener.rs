//! Our own accept loop, because a listener that sets no timers and no caps can be filled by whoever opens sockets and
//! says nothing.
//!
//! Must stay true: no error of a connection or of `accept` ends the loop; a connection that is admitted holds a seat
//! until it is closed; and when [`Listener::run`] returns, every request that had begun is answered.

mod activity;
mod answer;
mod bodies;
mod connection;
mod counts;
mod files;
mod limits;
mod proxies;
mod seats;
mod watched;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
    time::{Instant, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{bodies::Budget, connection::Serving, seats::Seats};
pub(crate) use self::{
    counts::{Cause, Counts},
    files::raise_limit,
    limits::Limits,
    proxies::Proxies,
};
use crate::Error;

/// Connections that wait in the kernel until they are accepted.
const BACKLOG: u32 = 4096;
/// How long to wait after an error of `accept` that the next call would meet again, such as no more open files.
const PAUSE: Duration = Duration::from_millis(100);

/// A bound address and what is served there.
#[derive(Debug)]
pub(crate) struct Listener {
    tcp: TcpListener,
    serving: Arc<Serving>,
    seats: Arc<Seats>,
    proxies: Proxies,
}

/// Binds an address.
pub(crate) fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A restart need not wait for the last connections of the process before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|source| Error::Listen { address, source })
}

impl Listener {
    /// Serves a router on a bound address.
    pub(crate) fn new(
        tcp: TcpListener,
        router: Router,
        limits: Limits,
        proxies: Proxies,
        counts: Arc<Counts>,
    ) -> Self {
        let seats = Seats::new(limits.connections, limits.per_address);
        let budget = Budget::new(limits.body_memory);
        let serving = Serving::new(router, limits, budget, counts);
        Self { tcp, serving: Arc::new(serving), seats: Arc::new(seats), proxies }
    }

    /// Accepts until it is told to stop, then closes what is idle and waits for what runs.
    async fn run(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.tcp.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit((stream, peer), &connections, &stop),
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    self.serving.counts.accept_failed();
                    tracing::warn!(%error, "no connection can be accepted now; it is tried again");
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => break,
                        () = sleep_until(Instant::now() + PAUSE) => {}
                    }
                }
            }
        }
        // Whoever connects now is refused by the system instead of waiting in vain.
        drop(self.tcp);
        connections.close();
        connections.wait().await;
    }

    fn admit(
        &self,
        (stream, peer): (TcpStream, SocketAddr),
        connections: &TaskTracker,
        stop: &CancellationToken,
    ) {
        let is_proxy = self.proxies.trusts(peer.ip());
        match self.seats.take(peer.ip(), is_proxy) {
            Ok(seat) => {
                let open = self.serving.counts.open();
                let (serving, stop) = (self.serving.clone(), stop.clone());
                connections.spawn(async move {
                    serving.serve(stream, peer, stop).await;
                    drop((seat, open));
                });
            }
            // Closed by being dropped: an answer would cost more than the connection.
            Err(cause) => self.serving.counts.refuse(cause),
        }
    }
}

/// Serves on all listeners until told to stop and everything is answered, or until one of them fails.
pub(crate) async fn run(listeners: Vec<Listener>, stop: CancellationToken) {
    let mut running = JoinSet::new();
    for listener in listeners {
        running.spawn(listener.run(stop.clone()));
    }
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a listener ended badly");
            return;
        }
    }
}

/// Whether the error belongs to the connection that would have been accepted; the next may be well.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as K;
    matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused)
}
