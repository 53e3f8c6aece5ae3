//! What a sender is answered: an acknowledgement, the answer to a greeting, or a problem (RFC 9457) per way to be refused.
//!
//! A refusal of the proof is the same text whatever was wrong: whoever guesses learns nothing from it. What a sender wrote
//! is only ever sent back as plain text that no browser guesses about.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long a sender should wait before it tries again, in seconds; providers wait longer anyway.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An answer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type` of a body, and what else belongs to the answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
    /// The event that was stored, the first of several.
    pub event_id: Option<Uuid>,
}

/// The ways to be refused; the numbers are part of the API and never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No such source, or it is disabled.
    UnknownSource,
    /// An expected header or the signature is missing or wrong.
    NotGenuine,
    /// The body is not JSON.
    NotJson,
    /// The body is larger than the source allows.
    TooLarge,
    /// The key was used with another body.
    KeyReused,
    /// The registry does not take such an event.
    Refused,
    /// More is waiting than can be taken.
    Overloaded,
    /// The store, or the source itself, cannot be used now.
    Unavailable,
    /// The source takes nothing from this address.
    WrongAddress,
    /// More comes than the source takes in a second.
    TooMany,
    /// The method brings no event and is no greeting of this source.
    WrongMethod,
    /// The token of a greeting is not the one of the source.
    WrongToken,
    /// The body is compressed.
    Encoded,
    /// The body is not what its content type says.
    Unreadable,
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 14] = [
        Self::UnknownSource,
        Self::NotGenuine,
        Self::NotJson,
        Self::TooLarge,
        Self::KeyReused,
        Self::Refused,
        Self::Overloaded,
        Self::Unavailable,
        Self::WrongAddress,
        Self::TooMany,
        Self::WrongMethod,
        Self::WrongToken,
        Self::Encoded,
        Self::Unreadable,
    ];

    /// The code as it is shown, its status and its title.
    #[rustfmt::skip] // A table is read by column.
    pub fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::UnknownSource => ("OM0101", S::NOT_FOUND, "No such webhook source"),
            Self::NotGenuine    => ("OM0102", S::UNAUTHORIZED, "The request is not genuine"),
            Self::NotJson       => ("OM0103", S::BAD_REQUEST, "The body is not JSON"),
            Self::TooLarge      => ("OM0104", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::KeyReused     => ("OM0105", S::CONFLICT, "The idempotency key was used with another body"),
            Self::Refused       => ("OM0106", S::UNPROCESSABLE_ENTITY, "The event is not taken"),
            Self::Overloaded    => ("OM0107", S::SERVICE_UNAVAILABLE, "Too much is waiting"),
            Self::Unavailable   => ("OM0108", S::SERVICE_UNAVAILABLE, "Not available now"),
            Self::WrongAddress  => ("OM0109", S::FORBIDDEN, "Nothing is taken from this address"),
            Self::TooMany       => ("OM0110", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::WrongMethod   => ("OM0111", S::METHOD_NOT_ALLOWED, "This method brings no event"),
            Self::WrongToken    => ("OM0112", S::FORBIDDEN, "The greeting is not genuine"),
            Self::Encoded       => ("OM0113", S::UNSUPPORTED_MEDIA_TYPE, "The body is compressed"),
            Self::Unreadable    => ("OM0114", S::BAD_REQUEST, "The body cannot be read"),
        }
    }

    /// The code as words, for the owner of a source.
    #[rustfmt::skip] // A table is read by column.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::UnknownSource => "unknown-source",
            Self::NotGenuine    => "not-genuine",
            Self::NotJson       => "not-json",
            Self::TooLarge      => "too-large",
            Self::KeyReused     => "key-reused",
            Self::Refused       => "event-refused",
            Self::Overloaded    => "overloaded",
            Self::Unavailable   => "unavailable",
            Self::WrongAddress  => "address-not-allowed",
            Self::TooMany       => "too-many",
            Self::WrongMethod   => "wrong-method",
            Self::WrongToken    => "token-mismatch",
            Self::Encoded       => "body-compressed",
            Self::Unreadable    => "body-unreadable",
        }
    }
}

impl Reply {
    /// An answer with a body of this type.
    pub(crate) fn new(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self { status, headers: vec![(CONTENT_TYPE, content_type)], body, event_id: None }
    }

    /// The event is stored. A repeat gets the same words as the first request.
    pub(crate) fn acknowledged(event_id: Uuid) -> Self {
        let body = format!(r#"{{"acknowledged":true,"eventId":"{event_id}"}}"#);
        let json = HeaderValue::from_static("application/json");
        Self { event_id: Some(event_id), ..Self::new(StatusCode::OK, json, body.into()) }
    }

    /// The events of a batch are stored, in this order.
    pub(crate) fn acknowledged_all(event_ids: &[Uuid]) -> Self {
        let body = json!({ "acknowledged": true, "eventIds": event_ids });
        Self { event_id: event_ids.first().copied(), ..Self::json(&body) }
    }

    /// A JSON document.
    pub(crate) fn json(document: &Value) -> Self {
        let json = HeaderValue::from_static("application/json");
        Self::new(StatusCode::OK, json, document.to_string().into())
    }

    /// Words of the sender, given back. They may be markup: nobody may take them for that.
    pub(crate) fn echo(text: String) -> Self {
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        Self::new(StatusCode::OK, plain, text.into())
            .with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
    }

    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), event_id: None }
    }

    /// With one more header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A refusal.
    pub(crate) fn problem(code: Code, detail: impl Into<String>) -> Self {
        Self::problem_with(code, detail.into(), &json!({}))
    }

    /// A refusal with members of its own beside the usual ones.
    pub(crate) fn problem_with(code: Code, detail: String, members: &Value) -> Self {
        let (name, status, title) = code.row();
        let mut body = json!({
            "type": format!("urn:omni:problem:{name}"), "title": title, "status": status.as_u16(),
            "detail": detail, "code": name, "errors": [],
        });
        for (name, member) in members.as_object().into_iter().flatten() {
            body[name] = member.clone();
        }
        let kind = HeaderValue::from_static("application/problem+json");
        let reply = Self::new(status, kind, body.to_string().into());
        match code {
            Code::Overloaded | Code::Unavailable => {
                reply.with(RETRY_AFTER, RETRY_AFTER_SECONDS.into())
            }
            Code::Encoded => reply.with(ACCEPT_ENCODING, HeaderValue::from_static("identity")),
            _ => reply,
        }
    }

    /// A refusal with the fields at fault, as `(pointer, detail)`.
    pub(crate) fn fields(
        code: Code,
        detail: String,
        errors: impl Iterator<Item = (String, String)>,
    ) -> Self {
        let error = |(pointer, detail)| json!({ "pointer": pointer, "detail": detail });
        let errors: Value = errors.map(error).collect();
        Self::problem_with(code, detail, &json!({ "errors": errors }))
    }

    /// The body is larger than the source allows; for whoever reads the body and stops there.
    pub fn too_large(body_max: usize) -> Self {
        let detail = format!(
            "This source takes at most {body_max} bytes; its `limits.bodyMaxBytes` can be raised."
        );
        Self::problem(Code::TooLarge, detail)
    }

    /// More comes than the source takes.
    pub(crate) fn too_many(seconds: u64) -> Self {
        let detail = "This source takes fewer requests per second; send it again later.";
        Self::problem(Code::TooMany, detail).with(RETRY_AFTER, seconds.into())
    }

    /// The method brings no event.
    pub(crate) fn wrong_method(allowed: &'static str) -> Self {
        let detail = format!("Events come with {allowed}, and this is no greeting of the source.");
        Self::problem(Code::WrongMethod, detail).with(ALLOW, HeaderValue::from_static(allowed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_follow_the_order() {
        for (index, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.row().0, format!("OM01{:02}", index + 1), "{code:?}");
        }
        let words: std::collections::BTreeSet<_> = Code::ALL.map(Code::word).into();
        assert_eq!(words.len(), Code::ALL.len());
    }
}
