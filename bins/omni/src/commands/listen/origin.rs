//! The request that an event came in with. It must stay true that what is said to be the original is it byte for byte.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;

use super::Event;
use crate::client::Client;
use crate::error::Error;

/// The stage of the capture that holds the request.
const RAW: &str = "webhook_raw";
/// What stands for the value of a header that was not kept because it is a secret.
const REDACTED: &str = "[redacted]";

/// What is sent on.
pub(super) struct Origin {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Headers that came and whose value was not kept.
    pub(super) secret: Vec<String>,
    /// What is not as it originally was, for people.
    pub(super) note: Option<String>,
}

/// What was kept of one stage.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Kept {
    stage: String,
    part: i32,
    headers: Vec<(String, String)>,
    body: Option<String>,
    encoding: String,
    bytes: u64,
    size: u64,
    left_out: bool,
    deleted_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct List {
    items: Vec<Kept>,
}

/// The request of an event as it was kept, or else its payload; nothing when that was taken out.
pub(super) async fn of(event: &Event<'_>, client: &Client) -> Result<Option<Origin>, Error> {
    if event.expunged.is_some() {
        return Ok(None);
    }
    let Some(kept) = kept(event, client).await? else {
        return Ok(Some(payload(event, "the request was not kept")));
    };
    if let Some(reason) = &kept.deleted_reason {
        return Ok(Some(payload(
            event,
            &format!("what was kept of the request is gone: {reason}"),
        )));
    }
    let body = match (kept.body, kept.encoding.as_str()) {
        (Some(text), "utf8") => Bytes::from(text),
        (None, _) if !kept.left_out => {
            return Ok(Some(payload(event, "the bytes of the request were not kept")));
        }
        _ => client.get(&["api", "events", &event.id, "payloads", RAW], &[]).await?.body,
    };
    if kept.size > kept.bytes && !kept.left_out {
        return Ok(Some(payload(event, "only the beginning of the request was kept")));
    }
    let (headers, secret) = headers(&kept.headers);
    let secret = secret.into_iter().map(str::to_owned).collect();
    Ok(Some(Origin { headers, body, secret, note: None }))
}

async fn kept(event: &Event<'_>, client: &Client) -> Result<Option<Kept>, Error> {
    let answer = match client.get(&["api", "events", &event.id, "payloads"], &[]).await {
        Err(Error::Problem(problem)) if problem.status == StatusCode::NOT_FOUND => return Ok(None),
        answer => answer?,
    };
    let list: List = serde_json::from_slice(&answer.body).map_err(|error| Error::Answer {
        what: format!("what was kept of an event cannot be read: {error}"),
        place: answer.place,
    })?;
    Ok(list.items.into_iter().find(|kept| kept.stage == RAW && kept.part == 0))
}

/// The payload in the place of the request.
fn payload(event: &Event<'_>, why: &str) -> Origin {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = event.payload.map_or("null", |payload| payload.get());
    let note = Some(format!("the payload as JSON: {why}"));
    Origin { headers, body: Bytes::from(body.to_owned()), secret: Vec::new(), note }
}

/// Those that belong to the request and not to its connection, and the names of those whose value is not known.
fn headers(kept: &[(String, String)]) -> (HeaderMap, Vec<&str>) {
    let (mut headers, mut secret) = (HeaderMap::new(), Vec::new());
    // A connection may name more headers as its own (RFC 9110, 7.6.1).
    let own = kept.iter().filter(|(name, _)| name.eq_ignore_ascii_case("connection"));
    let own: Vec<&str> = own.flat_map(|(_, value)| value.split(',').map(str::trim)).collect();
    for (name, value) in kept {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok();
        let Some((parsed, bytes)) = parsed.zip(HeaderValue::from_bytes(value.as_bytes()).ok())
        else {
            continue;
        };
        if omni_egress::is_reserved_header(&parsed)
            || parsed == header::PROXY_AUTHENTICATE
            || own.iter().any(|own| own.eq_ignore_ascii_case(name))
        {
            continue;
        }
        if value == REDACTED {
            secret.push(name.as_str());
            continue;
        }
        headers.append(parsed, bytes);
    }
    (headers, secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_connection_and_secret_ones_stay_behind() {
        let kept = [
            ("host", "omni.example"),
            ("content-length", "2"),
            ("connection", "keep-alive, X-Hop"),
            ("x-hop", "1"),
            ("x-github-event", "push"),
            ("x-two", "a"),
            ("x-two", "b"),
            ("x-gitlab-token", REDACTED),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (headers, secret) = headers(&kept);
        assert_eq!(secret, ["x-gitlab-token"]);
        let sent: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        assert_eq!(sent, [("x-github-event", &b"push"[..]), ("x-two", b"a"), ("x-two", b"b")]);
    }
}
