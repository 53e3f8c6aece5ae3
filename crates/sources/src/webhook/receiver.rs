//! The receiver: from a request to a stored event, or to a refusal.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use omni_crypto::{equal, sha256};
use omni_event_log::{AppendError, Capture, Draft, EventLog, Stage};
use omni_events::{Direction, InvalidJson, Org, Payload};

use super::{Code, Reply, dedupe, headers, quarantine, translate};
use crate::{Provider, Sources, compiled::Compiled, sources::Found};

/// What a sender whose proof is wrong is told, whatever was wrong.
const NOT_GENUINE: &str = "The request could not be verified.";
/// What a browser form is sent as; GitHub does so unless told otherwise.
const FORM: &str = "application/x-www-form-urlencoded";

/// Takes the requests of all webhook sources. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Receiver {
    sources: Sources,
    log: EventLog,
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
    /// Its headers as they came.
    pub headers: HeaderMap,
    /// Its body as it came.
    pub body: Bytes,
    /// Where it came from, for the owner of the source.
    pub remote: Option<SocketAddr>,
}

impl Receiver {
    /// Stores what the sources take in the log.
    pub fn new(sources: Sources, log: EventLog) -> Self {
        Self { sources, log }
    }

    /// Decides whether there is a source to read a body for.
    ///
    /// # Errors
    /// The answer to give: 404 for an unknown or disabled source, 503 for one that cannot be used at the moment.
    pub fn admit(&self, org: &Org, name: &str) -> Result<Admitted, Reply> {
        match self.sources.find(org, name) {
            Found::Ready(source) => Ok(Admitted { body_max: source.body_max, source }),
            Found::Nothing => {
                let detail = "There is no webhook source under this address that takes requests.";
                Err(Reply::problem(Code::UnknownSource, detail))
            }
            Found::Broken => {
                let detail = "This webhook source cannot be used until its owner repairs it; try again later.";
                Err(Reply::problem(Code::Unavailable, detail))
            }
        }
    }

    /// Verifies a request and stores its event. The acknowledgement means that the event is durable.
    pub async fn receive(&self, admitted: Admitted, incoming: Incoming) -> Reply {
        match self.accept(&admitted.source, &incoming).await {
            Ok(reply) => reply,
            Err(Refusal { reply, sample }) => {
                if let Some(reason) = sample {
                    quarantine::keep(&self.sources, &admitted.source, &incoming, reason).await;
                }
                reply
            }
        }
    }

    async fn accept(&self, source: &Compiled, incoming: &Incoming) -> Result<Reply, Refusal> {
        if incoming.body.len() > source.body_max {
            let reason = format!("the body has {} bytes", incoming.body.len());
            return Err(Refusal::kept(Reply::too_large(source.body_max), reason));
        }
        let not_genuine =
            |reason| Refusal::kept(Reply::problem(Code::NotGenuine, NOT_GENUINE), reason);
        expected(source, &incoming.headers).map_err(not_genuine)?;
        source
            .scheme
            .verify(&incoming.headers, &incoming.body)
            .map_err(|fault| not_genuine(fault.to_string()))?;
        let payload = Payload::parse(incoming.body.clone())
            .map_err(|fault| not_json(&fault, &incoming.headers))?;
        let appended = self.log.append(draft(source, incoming, payload)).await?;
        Ok(Reply::acknowledged(appended.event_id))
    }
}

/// Checks the headers that every request must carry; their values may be secrets and are compared as such.
fn expected(source: &Compiled, headers: &HeaderMap) -> Result<(), String> {
    for (name, wanted) in &source.expected {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Err(format!("the expected header {name} is missing"));
        };
        if values.next().is_some() {
            return Err(format!("the expected header {name} is there more than once"));
        }
        if !equal(wanted.as_bytes(), value.as_bytes()) {
            return Err(format!("the expected header {name} has another value"));
        }
    }
    Ok(())
}

fn not_json(fault: &InvalidJson, headers: &HeaderMap) -> Refusal {
    let mut detail = format!("The body is not JSON: {fault}.");
    if headers::content_type(headers).is_some_and(|kind| kind.starts_with(FORM)) {
        detail.push_str(
            " It was sent as a form: choose the content type application/json at the sender.",
        );
    }
    let mut reply = Reply::problem(Code::NotJson, detail.clone());
    reply.body["offset"] = fault.offset.into();
    Refusal::kept(reply, detail)
}

fn draft(source: &Compiled, incoming: &Incoming, payload: Payload) -> Draft {
    let headers = &incoming.headers;
    let event_type = translate::event_type(source, headers, &payload);
    let mut draft = Draft::new(source.org.clone(), event_type, source.label.clone(), payload);
    let metadata = &mut draft.metadata;
    metadata.direction = Some(Direction::Inbound);
    metadata.correlation_id = headers::correlation_id(headers).unwrap_or_default();
    metadata.traceparent = headers::traceparent(headers);
    if source.provider == Some(Provider::Github) {
        metadata.provider = Some("github".to_owned());
        metadata.provider_event_id = dedupe::from_header(headers, &dedupe::GITHUB_DELIVERY);
    }
    draft.capture = Some(Capture::new(
        Stage::WebhookRaw,
        headers::content_type(headers).as_deref(),
        headers::pairs(headers),
        source.scheme.secret_header().map(HeaderName::as_str),
    ));
    let body_hash = sha256(&[&incoming.body]);
    match dedupe::key(source, headers, &body_hash) {
        Some(key) => draft.deduplicated(source.label.clone(), key, body_hash),
        None => draft,
    }
}

/// A refusal, with the reason to keep a sample under if it is the sender's doing.
struct Refusal {
    reply: Reply,
    sample: Option<String>,
}

impl Refusal {
    fn kept(reply: Reply, reason: String) -> Self {
        Self { reply, sample: Some(reason) }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        let text = error.to_string();
        match error {
            AppendError::Conflict { .. } => {
                Self::kept(Reply::problem(Code::KeyReused, text.clone()), text)
            }
            AppendError::Refused(refused) => {
                let errors =
                    refused.violations().iter().map(|v| (v.pointer.clone(), v.message.clone()));
                let reply = Reply::problem(Code::Refused, text.clone()).with_errors(errors);
                Self::kept(reply, text)
            }
            AppendError::Metadata { .. } | AppendError::Loop { .. } => {
                Self::kept(Reply::problem(Code::Refused, text.clone()), text)
            }
            AppendError::TooLarge { .. } => {
                Self::kept(Reply::problem(Code::TooLarge, text.clone()), text)
            }
            AppendError::Overloaded => {
                Self { reply: Reply::problem(Code::Overloaded, text), sample: None }
            }
            AppendError::Stopped => {
                Self { reply: Reply::problem(Code::Unavailable, text), sample: None }
            }
            AppendError::Store(cause) => {
                tracing::error!(error = &*cause as &dyn std::error::Error, "webhook not stored");
                let detail = "The event could not be stored; send it again.";
                Self { reply: Reply::problem(Code::Unavailable, detail), sample: None }
            }
        }
    }
}
