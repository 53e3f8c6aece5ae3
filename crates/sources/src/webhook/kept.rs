//! A refused request as it is kept: whole, and sealed, because headers, URL and body may hold credentials.
//!
//! What must stay true: what is opened is what came, byte for byte, or it is not taken for whole.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use omni_crypto::{Error, Sealer};
use omni_store::quarantine::QuarantineRow;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Incoming;

/// How much of a body is kept beside the headers, in bytes: lists show it without reading the rest.
const BEGINNING_MAX: usize = 4096;

/// The part of a request that is read for lists.
#[derive(Serialize, Deserialize)]
struct Head {
    uri: String,
    /// Names, and values in Base64.
    headers: Vec<(String, String)>,
    /// The beginning of the body, in Base64.
    body: String,
    /// How long the body was.
    length: usize,
}

/// What goes into the two sealed columns.
pub(super) struct Sealed {
    pub(super) head: Vec<u8>,
    pub(super) body: Option<Vec<u8>>,
}

/// Seals a request; of a body that is longer than `body_max` only the beginning.
pub(super) fn seal(
    incoming: &Incoming,
    sealer: &Sealer,
    id: Uuid,
    body_max: usize,
) -> Result<Sealed, Error> {
    let beginning = incoming.body.get(..BEGINNING_MAX).unwrap_or(&incoming.body);
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), STANDARD.encode(value.as_bytes()))
    };
    let head = Head {
        uri: incoming.uri.to_string(),
        headers: incoming.headers.iter().map(pair).collect(),
        body: STANDARD.encode(beginning),
        length: incoming.body.len(),
    };
    // Texts and numbers can always be written.
    let head = serde_json::to_vec(&head).unwrap_or_default();
    let is_long = (BEGINNING_MAX + 1..=body_max).contains(&incoming.body.len());
    let sealed_body = if is_long {
        let nonce = omni_crypto::random_nonce()?;
        Some(sealer.seal(&incoming.body, bound_to(id, "body").as_bytes(), nonce))
    } else {
        None
    };
    let nonce = omni_crypto::random_nonce()?;
    Ok(Sealed {
        head: sealer.seal(&head, bound_to(id, "head").as_bytes(), nonce),
        body: sealed_body,
    })
}

/// The request as it came; `None` if it is not all there, such as one that an older release has kept.
pub(crate) fn open(row: &QuarantineRow, body: Option<&[u8]>, sealer: &Sealer) -> Option<Incoming> {
    let head = open_head(row, sealer)?;
    let body = match body {
        Some(sealed) => {
            let plain = sealer.open(sealed, bound_to(row.id, "body").as_bytes()).ok()?;
            plain.expose().to_vec()
        }
        None => STANDARD.decode(&head.body).ok()?,
    };
    if body.len() != head.length {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for (name, value) in head.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        let value = STANDARD.decode(value).ok()?;
        headers.append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(Incoming {
        method: Method::from_bytes(row.method.as_deref()?.as_bytes()).ok()?,
        uri: head.uri.parse::<Uri>().ok()?,
        headers,
        body: Bytes::from(body),
        remote: row.remote.as_deref().and_then(|remote| remote.parse().ok()),
    })
}

/// The beginning of the body.
pub(crate) fn beginning(row: &QuarantineRow, sealer: &Sealer) -> Option<Vec<u8>> {
    STANDARD.decode(open_head(row, sealer)?.body).ok()
}

/// Path and query as they may be shown: a value of the query may be a secret.
pub(super) fn shown_path(uri: &Uri) -> String {
    let mut shown = uri.path().to_owned();
    let names = uri.query().into_iter().flat_map(|query| query.split('&'));
    for (index, pair) in names.enumerate() {
        shown.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) => shown.extend([name, "=…"]),
            None => shown.push('…'),
        }
    }
    shown
}

fn open_head(row: &QuarantineRow, sealer: &Sealer) -> Option<Head> {
    let sealed = row.sealed_head.as_deref()?;
    let plain = sealer.open(sealed, bound_to(row.id, "head").as_bytes()).ok()?;
    serde_json::from_slice(plain.expose()).ok()
}

/// What a sealed part belongs to, so that it opens in no other row.
fn bound_to(id: Uuid, part: &str) -> String {
    format!("quarantine|{id}|{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_query_are_not_shown() {
        let shown = |uri: &str| shown_path(&uri.parse().unwrap());
        assert_eq!(shown("/webhooks/a"), "/webhooks/a");
        assert_eq!(shown("/webhooks/a?token=canary&x&y=1=2"), "/webhooks/a?token=…&…&y=…");
    }
}
