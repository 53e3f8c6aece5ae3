//! Greetings: what providers ask before they send events.
//!
//! What must stay true: a greeting makes no event; what is sent back is short and plain text; and nobody learns a secret
//! from an answer, nor gets something signed here that could pass for an event.

mod signed;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_TYPE},
};
use omni_crypto::{Secret, equal, hmac_sha256};
use serde_json::json;
use url::{Url, form_urlencoded};

pub(super) use self::signed::{misses_topic, signed};
use super::{
    Code, Incoming, Reply,
    judge::{Check, Refusal},
};
use crate::{compiled::Compiled, definition::Handshake};

/// Longest challenge that is sent back, in bytes; Microsoft's are the longest with some hundred.
const CHALLENGE_LEN_MAX: usize = 2048;
/// Longest secret that is taken over from a greeting, in bytes.
const SECRET_LEN_MAX: usize = 1024;
/// Longest origin of a CloudEvents sender, a DNS name.
const ORIGIN_LEN_MAX: usize = 253;

const HOOK_SECRET: HeaderName = HeaderName::from_static("x-hook-secret");
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");
const ALLOWED_RATE: HeaderName = HeaderName::from_static("webhook-allowed-rate");

/// What to do about a greeting.
#[derive(Clone, Debug)]
pub(crate) enum Greeting {
    /// Answer it.
    Answer(Reply),
    /// Make this the secret of the source if it has none, then answer.
    Adopt(Secret, Reply),
    /// Fetch this, then answer.
    Confirm(Url, Reply),
}

/// What a greeting without a signature is answered; `None` when it is no greeting of this source.
pub(super) fn unsigned(
    source: &Compiled,
    incoming: &Incoming,
    now: DateTime<Utc>,
) -> Option<Result<Greeting, Refusal>> {
    match (source.handshake?, &incoming.method) {
        (Handshake::Meta, &Method::GET) => meta(source, incoming),
        (Handshake::Dropbox, &Method::GET) => Some(echo(query(incoming, "challenge")?)),
        (Handshake::X, &Method::GET) => Some(x(source, &query(incoming, "crc_token")?, now)),
        (Handshake::MicrosoftGraph, &Method::GET | &Method::POST) => {
            Some(echo(query(incoming, "validationToken")?))
        }
        (Handshake::Asana, &Method::POST) => asana(source, incoming, now),
        (Handshake::CloudEvents, &Method::OPTIONS) => cloud_events(source, incoming),
        _ => None,
    }
}

/// The first value of this name in the query, decoded; an empty one is none.
fn query(incoming: &Incoming, name: &str) -> Option<String> {
    let pairs = form_urlencoded::parse(incoming.uri.query()?.as_bytes());
    let mut values = pairs.filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    values.next().filter(|value| !value.is_empty())
}

/// Sends a challenge back.
fn echo(challenge: String) -> Result<Greeting, Refusal> {
    if challenge.len() > CHALLENGE_LEN_MAX {
        return Err(malformed(format!("The challenge is longer than {CHALLENGE_LEN_MAX} bytes.")));
    }
    Ok(Greeting::Answer(Reply::echo(challenge)))
}

fn malformed(detail: String) -> Refusal {
    Refusal::of(Check::Greeting, Code::Unreadable, detail)
}

fn meta(source: &Compiled, incoming: &Incoming) -> Option<Result<Greeting, Refusal>> {
    if query(incoming, "hub.mode").as_deref() != Some("subscribe") {
        return None;
    }
    let challenge = query(incoming, "hub.challenge")?;
    let token = query(incoming, "hub.verify_token").unwrap_or_default();
    let held = source.secrets.second.as_ref();
    if held.is_some_and(|held| equal(held.expose(), token.as_bytes())) {
        return Some(echo(challenge));
    }
    let reply = Reply::problem(Code::WrongToken, "The token of the greeting is not the right one.");
    let reason = "the query `hub.verify_token` is not the second secret of the source";
    Some(Err(Refusal::kept(Check::Greeting, Code::WrongToken.word(), reason.to_owned(), reply)))
}

/// Signs the token of X. Anybody can ask for that, so only tokens are signed that can be no event: a source with this
/// greeting takes JSON objects only, and a token cannot begin one.
fn x(source: &Compiled, token: &str, now: DateTime<Utc>) -> Result<Greeting, Refusal> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'=' | b'+' | b'/');
    if token.len() > CHALLENGE_LEN_MAX || !token.bytes().all(plain) {
        return Err(malformed("The query `crc_token` is no token of X.".to_owned()));
    }
    let tag = hmac_sha256(newest(source, now)?, &[token.as_bytes()]);
    let answer = json!({ "response_token": format!("sha256={}", STANDARD.encode(tag)) });
    Ok(Greeting::Answer(Reply::json(&answer)))
}

/// The newest secret that counts.
fn newest(source: &Compiled, now: DateTime<Utc>) -> Result<&[u8], Refusal> {
    let held = source.secrets.active(now).next();
    held.map(|held| held.secret.expose()).ok_or_else(|| {
        Refusal::not_genuine(
            Check::Greeting,
            "no-secret",
            "the source has no secret to answer with".into(),
        )
    })
}

/// Asana chooses the secret itself and tells it once, to whoever answers. A source that has one keeps it.
fn asana(
    source: &Compiled,
    incoming: &Incoming,
    now: DateTime<Utc>,
) -> Option<Result<Greeting, Refusal>> {
    let value = incoming.headers.get(HOOK_SECRET)?;
    let bytes = value.as_bytes();
    if bytes.is_empty() || bytes.len() > SECRET_LEN_MAX {
        let detail = format!("{HOOK_SECRET} has no form that can be kept.");
        return Some(Err(malformed(detail)));
    }
    let reply = Reply::empty(StatusCode::OK).with(HOOK_SECRET, value.clone());
    if source.secrets.held.is_empty() {
        return Some(Ok(Greeting::Adopt(Secret::from(bytes.to_vec()), reply)));
    }
    // The answer to the first greeting may have been lost.
    if source.secrets.active(now).any(|held| equal(held.secret.expose(), bytes)) {
        return Some(Ok(Greeting::Answer(reply)));
    }
    let reason = format!("{HOOK_SECRET} offers another secret than the source has");
    Some(Err(Refusal::not_genuine(Check::Greeting, "secret-taken", reason)))
}

/// The abuse protection of the HTTP webhooks of CloudEvents: says that events are wanted, and how many a minute.
fn cloud_events(source: &Compiled, incoming: &Incoming) -> Option<Result<Greeting, Refusal>> {
    let origin = incoming.headers.get(REQUEST_ORIGIN)?;
    let good = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'/' | b'*');
    let bytes = origin.as_bytes();
    if bytes.is_empty() || bytes.len() > ORIGIN_LEN_MAX || !bytes.iter().all(good) {
        return Some(Err(malformed(format!("{REQUEST_ORIGIN} is no DNS name."))));
    }
    let rate = source.per_second.map(|rate| u64::from(rate).saturating_mul(60));
    let rate = rate.map_or(HeaderValue::from_static("*"), HeaderValue::from);
    let reply = Reply::empty(StatusCode::OK)
        .with(ALLOW, HeaderValue::from_static("POST, PUT, OPTIONS"))
        .with(ALLOWED_ORIGIN, origin.clone())
        .with(ALLOWED_RATE, rate);
    Some(Ok(Greeting::Answer(reply)))
}

/// The methods that a source takes, for `Allow`.
pub(super) fn methods(source: &Compiled) -> &'static str {
    match source.handshake {
        Some(Handshake::Meta | Handshake::Dropbox | Handshake::X | Handshake::MicrosoftGraph) => {
            "POST, PUT, GET"
        }
        Some(Handshake::CloudEvents) => "POST, PUT, OPTIONS",
        _ => "POST, PUT",
    }
}

/// An answer of no words that still names a type, as Discord asks for.
fn acknowledged() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .with(CONTENT_TYPE, HeaderValue::from_static("application/json"))
}

#[cfg(test)]
mod tests;
