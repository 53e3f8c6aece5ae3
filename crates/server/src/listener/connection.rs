//! One connection from its first byte to its last: HTTP/1 or HTTP/2, whichever the client speaks.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc};

use axum::{Router, body::Body, extract::ConnectInfo};
use futures_util::FutureExt as _;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use super::{
    Cause, Counts, Limits,
    activity::{Activity, Verdict},
    answer::{Answer, Running},
    bodies::{self, Budget},
    limits::{
        HEAD_MAX, HEADER_LIST_MAX, PING, RESETS_OF_OURS_MAX, RESETS_WAITING_MAX, SEND_BUFFER_MAX,
        STREAMS_MAX,
    },
    watched::Watched,
};

/// What all connections of a listener share.
#[derive(Debug)]
pub(super) struct Serving {
    router: Router,
    builder: Builder<TokioExecutor>,
    limits: Limits,
    budget: Budget,
    pub(super) counts: Arc<Counts>,
}

impl Serving {
    pub(super) fn new(router: Router, limits: Limits, budget: Budget, counts: Arc<Counts>) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // At most 100 headers are taken, which is hyper's own limit: setting it would cost an allocation per request.
        // Times are kept by `Activity`: the timer of hyper takes a client that sends nothing for a slow one.
        builder.http1().max_buf_size(HEAD_MAX).header_read_timeout(None).timer(TokioTimer::new());
        builder
            .http2()
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEADER_LIST_MAX)
            .max_pending_accept_reset_streams(RESETS_WAITING_MAX)
            .max_local_error_reset_streams(RESETS_OF_OURS_MAX)
            .max_send_buf_size(SEND_BUFFER_MAX)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .timer(TokioTimer::new());
        Self { router, builder, limits, budget, counts }
    }

    /// Serves a connection until it ends, its time is over, or everything stops and its requests are answered.
    pub(super) async fn serve(&self, stream: TcpStream, peer: SocketAddr, stop: CancellationToken) {
        // Answers are small and somebody waits for them.
        let _ = stream.set_nodelay(true);
        let opened = Instant::now();
        let activity = Arc::new(Activity::new(opened));
        let service = service_fn(|request| self.answer(request, peer, &activity));
        let io = TokioIo::new(Watched::new(stream, activity.clone()));
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut look = pin!(sleep_until(opened + self.limits.first_byte));
        let mut stopped = pin!(stop.cancelled());
        let mut is_finishing = false;
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        self.failed(&*error);
                    }
                    return;
                }
                () = look.as_mut() => {
                    let now = Instant::now();
                    match activity.verdict(&self.limits, now) {
                        Verdict::Wait(until) => look.as_mut().reset(until),
                        Verdict::Cut(cause) => return self.counts.refuse(cause),
                        Verdict::Finish => {
                            connection.as_mut().graceful_shutdown();
                            look.as_mut().reset(now + self.limits.header);
                        }
                    }
                }
                () = stopped.as_mut(), if !is_finishing => {
                    is_finishing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Hands a request to the router, with the address of its peer.
    fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl Future<Output = Result<Response<Answer>, Infallible>> + use<> {
        let running = Running::new(activity);
        let share = self.budget.share();
        let held = share.clone();
        let mut request = request.map(|incoming| {
            let (activity, counts) = (activity.clone(), self.counts.clone());
            Body::new(bodies::Body::new(incoming, share, activity, counts))
        });
        request.extensions_mut().insert(ConnectInfo(peer));
        self.router.clone().call(request).map(move |response| {
            drop(held);
            response.map(|response| response.map(|body| Answer::new(body, running)))
        })
    }

    /// Counts what ended a connection before its time.
    fn failed(&self, error: &(dyn std::error::Error + Send + Sync + 'static)) {
        tracing::trace!(%error, "a connection ended");
        let Some(error) = error.downcast_ref::<hyper::Error>() else { return };
        if error.is_parse_too_large() {
            self.counts.refuse(Cause::HeadTooLarge);
        } else if error.is_parse() {
            self.counts.refuse(Cause::Malformed);
        }
    }
}
