//! A genuine request, made with the secret of a source and shown without it.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue, header};
use omni_events::Org;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{Sample, TestRequest, written::incoming};
use crate::{
    compiled::{Compiled, Key, TypeFrom},
    webhook::{Incoming, RequestView, Scheme},
};

/// What stands in a sample where the secret itself belongs.
const SECRET_HERE: &str = "YOUR-SECRET";

/// Where a source is called.
pub(super) fn own_url(source: &Compiled, base: &str) -> String {
    if let Some(url) = &source.public_url {
        return url.to_string();
    }
    let (base, org) = (base.trim_end_matches('/'), &source.org);
    if *org == Org::default() {
        format!("{base}/webhooks/{}", source.name)
    } else {
        format!("{base}/api/orgs/{org}/eventhook/in/{}", source.name)
    }
}

/// A request that is genuine under the source's own secret, as it would come in and as it may be shown.
pub(super) fn sample(
    source: &Compiled,
    url: &str,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(Incoming, Sample), String> {
    let mut incoming = unsigned(source, url, id)?;
    let view = RequestView {
        method: &incoming.method,
        uri: &incoming.uri,
        url,
        headers: &incoming.headers,
        body: &incoming.body,
    };
    let signed = match (&source.scheme, source.secrets.held.first()) {
        (Scheme::Open, _) => Some(Vec::new()),
        (scheme, Some(held)) => {
            scheme.sign(view, &held.secret, source.secrets.second.as_ref(), now)
        }
        (_, None) => {
            return Err("the source has no secret that counts; rotate one in first".to_owned());
        }
    };
    let signed = signed.ok_or_else(|| {
        "no genuine request can be made here: only the sender has the private key, or its proof stands in the body or \
         the query; have the sender send a test, or give a request"
            .to_owned()
    })?;
    let is_secret = matches!(source.scheme, Scheme::Shared(_));
    let mut shown: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &incoming.headers {
        if name != header::HOST {
            shown.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        }
    }
    for (name, value) in signed {
        let text = if is_secret {
            SECRET_HERE.to_owned()
        } else {
            String::from_utf8_lossy(value.as_bytes()).into_owned()
        };
        shown.insert(name.to_string(), text);
        incoming.headers.insert(name, value);
    }
    let body = String::from_utf8_lossy(&incoming.body).into_owned();
    let mut curl = format!("curl -X POST {}", quoted(url));
    for (name, value) in &shown {
        curl.push_str(" -H ");
        curl.push_str(&quoted(&format!("{name}: {value}")));
    }
    curl.push_str(" --data-binary ");
    curl.push_str(&quoted(&body));
    let method = incoming.method.to_string();
    Ok((incoming, Sample { method, url: url.to_owned(), headers: shown, body, curl }))
}

/// What would be signed: everything that the source looks for.
fn unsigned(source: &Compiled, url: &str, id: Uuid) -> Result<Incoming, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in &source.expected {
        headers.insert(name.clone(), value.clone());
    }
    let mut document = Map::new();
    document.insert("test".to_owned(), json!(true));
    document.insert("source".to_owned(), json!(source.name));
    match &source.type_from {
        Some(TypeFrom::Header(name)) => {
            headers.insert(name.clone(), HeaderValue::from_static("test"));
        }
        Some(TypeFrom::Path(path)) => set(&mut document, path, json!("test")),
        None => {}
    }
    for key in source.keys.iter().chain(&source.provider_keys) {
        let id = format!("test-{id}");
        match key {
            Key::Header(name) => {
                if let Ok(value) = HeaderValue::from_str(&id) {
                    headers.insert(name.clone(), value);
                }
            }
            Key::Field(path) => set(&mut document, path, json!(id)),
            Key::Body => {}
        }
    }
    let body = Bytes::from(Value::Object(document).to_string());
    let request = TestRequest { url: Some(url.to_owned()), ..TestRequest::default() };
    let mut incoming =
        incoming(&request, url).map_err(|_| "the URL of the source is none".to_owned())?;
    headers.extend(incoming.headers.drain());
    incoming.headers = headers;
    incoming.body = body;
    Ok(incoming)
}

/// Writes a value where a path leads, if there is room on the way.
fn set(document: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        document.insert(first.clone(), value);
    } else if let Value::Object(inner) =
        document.entry(first.clone()).or_insert_with(|| Value::Object(Map::new()))
    {
        set(inner, rest, value);
    }
}

/// A word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
