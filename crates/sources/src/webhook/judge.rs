//! What becomes of a request: which check it fails, or which events it would be. Nothing is stored and nothing fetched
//! here, so the same question about a request that was kept has the same answer.
//!
//! The order of the checks is fixed: address, size, expected headers, greeting without a signature, signature, greeting
//! with one, body.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Method};
use omni_crypto::equal;
use serde_json::json;
use url::Url;

use super::{
    Code, Incoming, Reply,
    body::{self, Content, Document, Unreadable},
    drafts::{self, Drafts},
    handshake::{self, Greeting},
    limits,
    proxies::Proxies,
    request::RequestView,
    scheme::{Fault, Proof},
};
use crate::{compiled::Compiled, definition::Handshake};

/// What a sender whose proof is wrong is told, whatever was wrong.
const NOT_GENUINE: &str = "The request could not be verified.";

/// What is known besides the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'c> {
    pub(crate) proxies: &'c Proxies,
    /// The certificate that the request names, if it was fetched.
    pub(crate) certificate: Option<&'c [u8]>,
    /// Whether the owner vouches for the request: then nothing is proved.
    pub(crate) vouched: bool,
}

/// What becomes of a request.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly every one is the large one")]
pub(crate) enum Judged {
    /// It becomes events.
    Genuine {
        /// What proved it.
        proof: Proof,
        /// The events.
        drafts: Drafts,
    },
    /// It is answered and becomes nothing.
    Greeting(Greeting),
    /// It cannot be judged without this certificate.
    NeedsCertificate(Url),
    /// It is refused.
    Refused(Refusal),
}

/// The checks, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    Address,
    Size,
    ExpectedHeaders,
    Greeting,
    Signature,
    Body,
    Append,
}

impl Check {
    /// Its name, for the owner of a source.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Size => "size",
            Self::ExpectedHeaders => "expected-headers",
            Self::Greeting => "greeting",
            Self::Signature => "signature",
            Self::Body => "body",
            Self::Append => "append",
        }
    }
}

/// A refusal: what the sender is told, and why, for the owner.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reply: Reply,
    /// Nothing when it is not the sender's doing: then no sample is kept.
    pub(crate) reason: Option<Box<Reason>>,
}

/// Why a request was refused, for the owner of the source only.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) check: Check,
    /// A word for programs, such as `signature-mismatch`.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) text: String,
    /// What the signature lacks, if it was that.
    pub(crate) fault: Option<Fault>,
}

impl Refusal {
    /// A refusal whose sample is kept under this reason.
    pub(crate) fn kept(check: Check, code: &'static str, text: String, reply: Reply) -> Self {
        Self { reply, reason: Some(Box::new(Reason { check, code, text, fault: None })) }
    }

    /// A refusal that tells the sender and the owner the same.
    pub(crate) fn of(check: Check, code: Code, detail: String) -> Self {
        Self::kept(check, code.word(), detail.clone(), Reply::problem(code, detail))
    }

    /// A refusal that tells the sender nothing.
    pub(crate) fn not_genuine(check: Check, code: &'static str, text: String) -> Self {
        Self::kept(check, code, text, Reply::problem(Code::NotGenuine, NOT_GENUINE))
    }

    /// A refusal that is not the sender's doing.
    pub(crate) fn ours(reply: Reply) -> Self {
        Self { reply, reason: None }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let mut refusal = Self::not_genuine(Check::Signature, fault.code(), fault.to_string());
        if let Some(reason) = &mut refusal.reason {
            reason.fault = Some(fault);
        }
        refusal
    }
}

/// Judges a request as if it came at this time.
pub(crate) fn judge(
    source: &Compiled,
    incoming: &Incoming,
    now: DateTime<Utc>,
    context: Context<'_>,
) -> Judged {
    let judged = prove(source, incoming, now, context).and_then(|proved| match proved {
        Proved::By(proof) => understand(source, incoming, now, proof),
        Proved::Greeting(greeting) => Ok(Judged::Greeting(greeting)),
        Proved::NeedsCertificate(url) => Ok(Judged::NeedsCertificate(url)),
    });
    judged.unwrap_or_else(Judged::Refused)
}

enum Proved {
    By(Proof),
    Greeting(Greeting),
    NeedsCertificate(Url),
}

/// Everything that is decided without looking for a meaning in the body.
fn prove(
    source: &Compiled,
    incoming: &Incoming,
    now: DateTime<Utc>,
    context: Context<'_>,
) -> Result<Proved, Refusal> {
    let headers = &incoming.headers;
    if !context.vouched {
        if !source.allowed_ips.is_empty() {
            address(source, context.proxies.client(incoming.remote, headers))?;
        }
        size(source, incoming)?;
        expected(source, headers)?;
    }
    if let Some(greeting) = handshake::unsigned(source, incoming, now) {
        return greeting.map(Proved::Greeting);
    }
    if !matches!(incoming.method, Method::POST | Method::PUT) {
        let reply = Reply::wrong_method(handshake::methods(source));
        return Err(Refusal::ours(reply));
    }
    if context.vouched {
        return Ok(Proved::By(Proof::default()));
    }
    let url = if source.needs_url {
        context.proxies.url(source.public_url.as_ref(), incoming.remote, headers, &incoming.uri)
    } else {
        String::new()
    };
    let request = RequestView {
        method: &incoming.method,
        uri: &incoming.uri,
        url: &url,
        headers,
        body: &incoming.body,
    };
    if context.certificate.is_none()
        && let Some(url) = source.scheme.certificate_url(request)
    {
        return Ok(Proved::NeedsCertificate(url?));
    }
    let proof = source.scheme.verify_with(request, &source.secrets, now, context.certificate)?;
    only_objects(source, incoming)?;
    Ok(Proved::By(proof))
}

/// Refuses an address that may not send.
fn address(source: &Compiled, from: Option<IpAddr>) -> Result<(), Refusal> {
    if limits::may_send(&source.allowed_ips, from) {
        return Ok(());
    }
    let from = from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string());
    let reason = format!("{from} is not among the `allowedIps` of the source");
    Err(Refusal::kept(Check::Address, Code::WrongAddress.word(), reason, strange_address()))
}

/// What a sender at an address that may not send is told.
pub(super) fn strange_address() -> Reply {
    let detail = "This source takes nothing from the address that this came from.";
    Reply::problem(Code::WrongAddress, detail)
}

fn size(source: &Compiled, incoming: &Incoming) -> Result<(), Refusal> {
    if incoming.body.len() <= source.body_max {
        return Ok(());
    }
    let reason = format!("the body has {} bytes", incoming.body.len());
    let reply = Reply::too_large(source.body_max);
    Err(Refusal::kept(Check::Size, Code::TooLarge.word(), reason, reply))
}

/// Checks the headers that every request must carry; their values may be secrets and are compared as such.
fn expected(source: &Compiled, headers: &HeaderMap) -> Result<(), Refusal> {
    let wrong = |code, text| Err(Refusal::not_genuine(Check::ExpectedHeaders, code, text));
    for (name, wanted) in &source.expected {
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return wrong("header-missing", format!("the expected header {name} is missing"));
        };
        if values.next().is_some() {
            let text = format!("the expected header {name} is there more than once");
            return wrong("header-repeated", text);
        }
        if !equal(wanted.as_bytes(), value.as_bytes()) {
            let text = format!("the expected header {name} has another value");
            return wrong("header-mismatch", text);
        }
    }
    Ok(())
}

/// Whoever greets as X does gets any short token signed, so what could be a token is no event; see the greeting.
fn only_objects(source: &Compiled, incoming: &Incoming) -> Result<(), Refusal> {
    let object = incoming.body.trim_ascii_start().first() == Some(&b'{');
    if source.handshake != Some(Handshake::X) || object {
        return Ok(());
    }
    let reason = "the body is no JSON object; others are not taken from X".to_owned();
    Err(Refusal::not_genuine(Check::Body, "no-object", reason))
}

/// Makes of a genuine request what it says.
fn understand(
    source: &Compiled,
    incoming: &Incoming,
    now: DateTime<Utc>,
    proof: Proof,
) -> Result<Judged, Refusal> {
    let drafts = match body::read(&incoming.headers, &incoming.body)? {
        Content::Payload(payload) => {
            let document = Document::new(payload);
            if let Some(refusal) = handshake::misses_topic(source, &document) {
                return Err(refusal);
            }
            if let Some(greeting) = handshake::signed(source, &document, now) {
                return greeting.map(Judged::Greeting);
            }
            Drafts::One(drafts::of_payload(source, incoming, document))
        }
        Content::CloudEvent(event) => {
            Drafts::One(drafts::of_event(source, incoming, &event, incoming.body.clone())?)
        }
        Content::CloudEvents(events) => drafts::of_batch(source, incoming, &events)?,
    };
    Ok(Judged::Genuine { proof, drafts })
}

impl From<Unreadable> for Refusal {
    fn from(fault: Unreadable) -> Self {
        let text = fault.to_string();
        match fault {
            Unreadable::Json(fault) => {
                let members = json!({ "offset": fault.offset });
                let reply = Reply::problem_with(Code::NotJson, text.clone(), &members);
                Self::kept(Check::Body, Code::NotJson.word(), text, reply)
            }
            Unreadable::Encoded(_) => Self::of(Check::Body, Code::Encoded, text),
            Unreadable::Other(_) => Self::of(Check::Body, Code::Unreadable, text),
        }
    }
}
