//! What is known about a call besides its message: for whom it is and how it is tracked. The same on both faces.

use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, request::Parts};
use omni_events::Org;

use crate::{
    correlation::{Given, traceparent},
    problem::Problem,
};

/// Names the organisation.
const ORG: HeaderName = HeaderName::from_static("x-omni-org");
/// Makes a repeat answer as the first call did.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest idempotency key, in bytes: it is part of an index.
const KEY_LEN_MAX: usize = 255;

/// For whom a call is and how it is tracked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) org: Org,
    /// What the caller gave; without it, an event begins a family of its own.
    pub(crate) correlation_id: Option<String>,
    pub(crate) traceparent: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

impl Call {
    /// Reads a call from the headers of a request or the metadata of an RPC, which are the same thing.
    pub(crate) fn read(headers: &HeaderMap, extensions: &Extensions) -> Result<Self, Problem> {
        let correlation_id =
            extensions.get::<Given>().and_then(|Given(id)| id.to_str().ok()).map(str::to_owned);
        Ok(Self {
            org: org(headers)?,
            correlation_id,
            traceparent: traceparent(headers).and_then(|v| v.to_str().map(str::to_owned).ok()),
            idempotency_key: idempotency_key(headers)?,
        })
    }

    /// Reads the call of an RPC.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Result<Self, Problem> {
        Self::read(request.metadata().as_ref(), request.extensions())
    }
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Self::read(&parts.headers, &parts.extensions)
    }
}

/// The organisation that a request names, `default` if it names none.
pub(crate) fn org(headers: &HeaderMap) -> Result<Org, Problem> {
    let Some(value) = one(headers, &ORG, "X-Omni-Org")? else { return Ok(Org::default()) };
    let wrong = |reason: String| Problem::field("X-Omni-Org", reason);
    let name = value.to_str().map_err(|_| wrong("it must be ASCII".to_owned()))?;
    Org::parse(name).map_err(|error| wrong(error.to_string()))
}

/// The one value of a header. Of two, a proxy in front may have meant the other.
fn one<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
    shown: &str,
) -> Result<Option<&'h HeaderValue>, Problem> {
    let mut values = headers.get_all(name).iter();
    let value = values.next();
    match values.next() {
        Some(_) => Err(Problem::field(shown, "it is there more than once")),
        None => Ok(value),
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = one(headers, &IDEMPOTENCY_KEY, "Idempotency-Key")? else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    // The draft standard quotes the key; nearly nobody does. Both are the same key.
    let key = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    if key.is_empty() || key.len() > KEY_LEN_MAX {
        let reason = format!("it must be 1 to {KEY_LEN_MAX} characters of visible ASCII");
        return Err(Problem::field("Idempotency-Key", reason));
    }
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&'static str, &str)]) -> Result<Call, Problem> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        Call::read(&map, &Extensions::new())
    }

    #[test]
    fn the_organisation_is_default_or_valid() {
        assert_eq!(read(&[]).unwrap().org, Org::default());
        assert_eq!(read(&[("x-omni-org", "acme")]).unwrap().org.as_str(), "acme");
        let problem = read(&[("x-omni-org", "../etc")]).unwrap_err();
        assert_eq!(problem.errors[0].pointer, "X-Omni-Org");
    }

    #[test]
    fn of_two_headers_none_is_chosen() {
        for name in ["x-omni-org", "idempotency-key"] {
            let mut map = HeaderMap::new();
            map.append(name, HeaderValue::from_static("acme"));
            assert!(Call::read(&map, &Extensions::new()).is_ok());
            map.append(name, HeaderValue::from_static("acme"));
            let problem = Call::read(&map, &Extensions::new()).unwrap_err();
            assert!(problem.detail.contains("more than once"), "{problem:?}");
        }
    }

    #[test]
    fn a_key_is_the_same_with_and_without_quotes() {
        let key = |value: &str| read(&[("idempotency-key", value)]).map(|c| c.idempotency_key);
        assert_eq!(key("\"k-1\"").unwrap(), key("k-1").unwrap());
        assert!(key("").is_err());
        assert!(key(&"k".repeat(256)).is_err());
    }
}
