//! What a sender is answered: one acknowledgement, and one problem (RFC 9457) per way to be refused.
//!
//! A refusal of the signature is the same text whatever was wrong: whoever guesses learns nothing from it.

use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::{Value, json};
use uuid::Uuid;

/// How long a sender should wait before it tries again, in seconds; providers wait longer anyway.
const RETRY_AFTER_SECONDS: u16 = 1;

/// An answer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// `Content-Type`, and `Retry-After` where it makes sense to come again.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Value,
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
}

impl Code {
    /// Every code, for documentation and tests.
    pub const ALL: [Self; 8] = [
        Self::UnknownSource,
        Self::NotGenuine,
        Self::NotJson,
        Self::TooLarge,
        Self::KeyReused,
        Self::Refused,
        Self::Overloaded,
        Self::Unavailable,
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
        }
    }
}

impl Reply {
    /// The event is stored. A repeat gets the same words as the first request.
    pub(crate) fn acknowledged(event_id: Uuid) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))],
            body: json!({ "acknowledged": true, "eventId": event_id }),
        }
    }

    /// A refusal.
    pub(crate) fn problem(code: Code, detail: impl Into<String>) -> Self {
        let (name, status, title) = code.row();
        let mut headers =
            vec![(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"))];
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((RETRY_AFTER, RETRY_AFTER_SECONDS.into()));
        }
        let body = json!({
            "type": format!("urn:omni:problem:{name}"), "title": title, "status": status.as_u16(),
            "detail": detail.into(), "code": name, "errors": [],
        });
        Self { status, headers, body }
    }

    /// Adds the fields at fault, as `(pointer, detail)`.
    pub(crate) fn with_errors(mut self, errors: impl Iterator<Item = (String, String)>) -> Self {
        let error = |(pointer, detail)| json!({ "pointer": pointer, "detail": detail });
        self.body["errors"] = errors.map(error).collect();
        self
    }

    /// The body is larger than the source allows; for whoever reads the body and stops there.
    pub fn too_large(body_max: usize) -> Self {
        let detail = format!(
            "This source takes at most {body_max} bytes; its `limits.bodyMaxBytes` can be raised."
        );
        Self::problem(Code::TooLarge, detail)
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
    }
}
