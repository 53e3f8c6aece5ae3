//! The receiver: from a request to a stored event, or to a refusal.

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, Uri};
use ipnet::IpNet;
use omni_crypto::Secret;
use omni_egress::Egress;
use omni_event_log::{AppendError, Appended, Draft, EventLog};
use omni_events::Org;
use uuid::Uuid;

use super::{
    Code, Reply,
    certificates::Certificates,
    drafts::Drafts,
    handshake::Greeting,
    judge::{Check, Context, Judged, Refusal, judge, strange_address},
    limits,
    proxies::Proxies,
    quarantine,
    request::RequestView,
    scheme::Fault,
};
use crate::{
    Error, Sources,
    compiled::Compiled,
    sources::{Found, event_id},
};

/// Takes the requests of all webhook sources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Receiver {
    sources: Sources,
    log: EventLog,
    outside: Arc<Certificates>,
    proxies: Arc<Proxies>,
}

/// A source that takes requests; asked for before the body is read.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// Largest body in bytes; reading may stop there with [`Reply::too_large`].
    pub body_max: usize,
    source: Arc<Compiled>,
}

/// A request with its whole body.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Its method.
    pub method: Method,
    /// Its path and query as they came.
    pub uri: Uri,
    /// Its headers as they came.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
    /// Where it came from, for the owner of the source.
    pub remote: Option<SocketAddr>,
}

impl Receiver {
    /// Stores what the sources take in the log. It fetches from public addresses only, and believes no proxy.
    pub fn new(sources: Sources, log: EventLog) -> Self {
        let outside = Certificates::new(Egress::new(omni_egress::Config::default()));
        Self { sources, log, outside: Arc::new(outside), proxies: Arc::default() }
    }

    /// Fetches certificates and confirms subscriptions through this way out.
    #[must_use]
    pub fn through(self, egress: Egress) -> Self {
        Self { outside: Arc::new(Certificates::new(egress)), ..self }
    }

    /// Believes what proxies in these networks say of the sender and the URL.
    #[must_use]
    pub fn behind(self, proxies: Vec<IpNet>) -> Self {
        Self { proxies: Arc::new(Proxies::new(proxies)), ..self }
    }

    /// Decides whether there is a source to read a body for, and whether it takes one more now.
    ///
    /// # Errors
    /// The answer to give: 404 for an unknown or disabled source, 403 for an address that it does not take, 429 when too
    /// much comes, 503 for one that cannot be used at the moment.
    pub fn admit(
        &self,
        org: &Org,
        name: &str,
        headers: &HeaderMap,
        remote: Option<SocketAddr>,
    ) -> Result<Admitted, Reply> {
        let source = match self.sources.find(org, name) {
            Found::Ready(source) => source,
            Found::Nothing => {
                let detail = "There is no webhook source under this address that takes requests.";
                return Err(Reply::problem(Code::UnknownSource, detail));
            }
            Found::Broken => {
                let detail = "This webhook source cannot be used until its owner repairs it; try again later.";
                return Err(Reply::problem(Code::Unavailable, detail));
            }
        };
        // A strange address is refused with its whole request, so that its owner can see and release it; it takes nothing
        // of the rate, which is for those that may send.
        let may_send = source.allowed_ips.is_empty()
            || limits::may_send(&source.allowed_ips, self.proxies.client(remote, headers));
        let now = self.sources.clock().elapsed();
        if let (true, Some(rate)) = (may_send, &source.rate) {
            rate.admit(now).map_err(Reply::too_many)?;
        }
        let sampler = || source.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        if !may_send && !sampler().has_room(now) {
            return Err(strange_address());
        }
        Ok(Admitted { body_max: source.body_max, source })
    }

    /// Verifies a request and stores its event. The acknowledgement means that the event is durable.
    pub async fn receive(&self, admitted: Admitted, incoming: Incoming) -> Reply {
        let source = &*admitted.source;
        match self.accept(source, &incoming).await {
            Ok(reply) => reply,
            Err(Refusal { reply, reason }) => {
                if let Some(reason) = reason {
                    let why = (reason.code, reason.text);
                    quarantine::keep(&self.sources, source, &incoming, why).await;
                }
                reply
            }
        }
    }

    async fn accept(&self, source: &Compiled, incoming: &Incoming) -> Result<Reply, Refusal> {
        let now = self.sources.clock().now();
        match self.judge(source, incoming, now, false).await {
            Judged::Genuine { proof, drafts } => {
                if let Some(secret) = &proof.secret {
                    source.secrets.used(secret, now);
                }
                match drafts {
                    Drafts::One(draft) => Ok(acknowledge(source, self.log.append(draft).await?)),
                    Drafts::Batch(drafts) => {
                        Ok(acknowledge_all(source, &self.append_all(drafts).await?))
                    }
                }
            }
            Judged::Greeting(greeting) => self.greet(source, greeting).await,
            Judged::NeedsCertificate(url) => Err(not_fetched(&url)),
            Judged::Refused(refusal) => Err(refusal),
        }
    }

    /// Judges a request as if it came at this time, with the certificate that it needs; `vouched` is for a request whose
    /// owner says that it is genuine.
    pub(crate) async fn judge(
        &self,
        source: &Compiled,
        incoming: &Incoming,
        now: DateTime<Utc>,
        vouched: bool,
    ) -> Judged {
        let context = Context { proxies: &self.proxies, certificate: None, vouched };
        let url = match judge(source, incoming, now, context) {
            Judged::NeedsCertificate(url) => url,
            judged => return judged,
        };
        match self.outside.get(&url, self.sources.clock().elapsed()).await {
            Ok(certificate) => {
                let context = Context { certificate: Some(&certificate), ..context };
                judge(source, incoming, now, context)
            }
            Err(error) if error.may_pass() => {
                tracing::warn!(%url, %error, "a certificate was not fetched");
                Judged::Refused(not_fetched(&url))
            }
            Err(error) => Judged::Refused(Fault::Certificate(format!("{url}: {error}")).into()),
        }
    }

    /// The URL that the sender called, and the certificate that the request names, as far as they are to be had.
    pub(crate) async fn seen(
        &self,
        source: &Compiled,
        incoming: &Incoming,
    ) -> (String, Option<Vec<u8>>) {
        let Incoming { method, uri, headers, body, remote } = incoming;
        let url = self.proxies.url(source.public_url.as_ref(), *remote, headers, uri);
        let view = RequestView { method, uri, url: &url, headers, body };
        let certificate = match source.scheme.certificate_url(view) {
            Some(Ok(at)) => self.outside.get(&at, self.sources.clock().elapsed()).await.ok(),
            _ => None,
        };
        (url, certificate.map(|certificate| certificate.to_vec()))
    }

    /// Makes of a request that was refused what it would have become when it was received, under the same keys; a request
    /// without a key gets ids that follow from its own, so that it is released once. `force` is for a request whose owner
    /// says that it is genuine, whatever it lacks.
    ///
    /// A greeting becomes nothing: what it asks for is done, and its answer has nobody to go to.
    pub(crate) async fn release(
        &self,
        source: &Compiled,
        incoming: &Incoming,
        (request, received_at): (Uuid, DateTime<Utc>),
        force: bool,
    ) -> Result<Vec<Appended>, Refusal> {
        match self.judge(source, incoming, received_at, force).await {
            Judged::Genuine { drafts, .. } => {
                let mut drafts = drafts.into_vec();
                for (index, draft) in drafts.iter_mut().enumerate() {
                    draft.time.get_or_insert(received_at);
                    if draft.dedupe.is_none() {
                        draft.id = Some(event_id(request, index));
                    }
                }
                self.append_all(drafts).await
            }
            Judged::Greeting(greeting) => self.greet(source, greeting).await.map(|_| Vec::new()),
            Judged::NeedsCertificate(url) => Err(not_fetched(&url)),
            Judged::Refused(refusal) => Err(refusal),
        }
    }

    /// Stores the events of one request: all that can be taken, or none.
    async fn append_all(&self, drafts: Vec<Draft>) -> Result<Vec<Appended>, Refusal> {
        let mut checked = Vec::with_capacity(drafts.len());
        for draft in drafts {
            checked.push(self.log.check(draft).await?);
        }
        let mut appended = Vec::with_capacity(checked.len());
        // When the store fails in between, those that are stored are repeats of the next try.
        for answer in self.log.append_all(checked).await? {
            appended.push(answer?);
        }
        Ok(appended)
    }

    async fn greet(&self, source: &Compiled, greeting: Greeting) -> Result<Reply, Refusal> {
        match greeting {
            Greeting::Answer(reply) => Ok(reply),
            Greeting::Adopt(secret, reply) => self.adopt(source, secret).await.map(|()| reply),
            Greeting::Confirm(url, reply) => match self.outside.fetch(&url).await {
                Ok(_) => Ok(reply),
                Err(error) => {
                    let text = format!("the subscription could not be confirmed: {error}");
                    let detail = "The subscription could not be confirmed; send it again.";
                    let reply = Reply::problem(Code::Unavailable, detail);
                    Err(Refusal::kept(Check::Greeting, "not-confirmed", text, reply))
                }
            },
        }
    }

    /// Makes the secret of a greeting that of a source that has none.
    async fn adopt(&self, source: &Compiled, secret: Secret) -> Result<(), Refusal> {
        match self.sources.adopt_secret(&source.org, &source.name, secret).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let reason = "another sender has told this source its secret before";
                Err(Refusal::not_genuine(Check::Greeting, "secret-taken", reason.to_owned()))
            }
            Err(Error::Invalid(problems)) => {
                let reason = problems.into_iter().map(|problem| problem.message);
                let reason = reason.collect::<Vec<_>>().join("; ");
                Err(Refusal::not_genuine(Check::Greeting, "secret-unusable", reason))
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "secret not kept");
                let detail = "The secret could not be kept; send the greeting again.";
                Err(Refusal::ours(Reply::problem(Code::Unavailable, detail)))
            }
        }
    }
}

fn acknowledge(source: &Compiled, appended: Appended) -> Reply {
    let event_id = Some(appended.event_id);
    match &source.response {
        Some(reply) => Reply { event_id, ..reply.clone() },
        None => Reply::acknowledged(appended.event_id),
    }
}

fn acknowledge_all(source: &Compiled, appended: &[Appended]) -> Reply {
    let ids: Vec<_> = appended.iter().map(|appended| appended.event_id).collect();
    match &source.response {
        Some(reply) => Reply { event_id: ids.first().copied(), ..reply.clone() },
        None => Reply::acknowledged_all(&ids),
    }
}

/// A certificate that is not to be had for a moment; the sender should come again.
fn not_fetched(url: &url::Url) -> Refusal {
    tracing::debug!(%url, "no certificate");
    let detail = "The request cannot be verified at the moment; send it again.";
    Refusal::ours(Reply::problem(Code::Unavailable, detail))
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        let text = error.to_string();
        match error {
            AppendError::Conflict { .. } => Self::of(Check::Append, Code::KeyReused, text),
            AppendError::Refused(refused) => {
                let errors =
                    refused.violations().iter().map(|v| (v.pointer.clone(), v.message.clone()));
                let reply = Reply::fields(Code::Refused, text.clone(), errors);
                Self::kept(Check::Append, Code::Refused.word(), text, reply)
            }
            AppendError::Metadata { .. } | AppendError::Loop { .. } => {
                Self::of(Check::Append, Code::Refused, text)
            }
            AppendError::TooLarge { .. } => Self::of(Check::Append, Code::TooLarge, text),
            AppendError::Overloaded => Self::ours(Reply::problem(Code::Overloaded, text)),
            AppendError::Stopped => Self::ours(Reply::problem(Code::Unavailable, text)),
            AppendError::Store(cause) => {
                tracing::error!(error = &*cause as &dyn std::error::Error, "webhook not stored");
                let detail = "The event could not be stored; send it again.";
                Self::ours(Reply::problem(Code::Unavailable, detail))
            }
        }
    }
}
