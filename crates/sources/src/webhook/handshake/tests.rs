//! Greetings as providers send them, and what they are answered.

use std::collections::BTreeMap;

use http::HeaderMap;
use omni_events::Org;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{
    Definition,
    secrets::Secrets,
    webhook::{
        judge::{Context, Judged, judge},
        proxies::Proxies,
    },
};

/// One case of `testdata/greetings.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Case {
    name: String,
    /// The definition; `sign` names the header in which the body is to be signed with its secret.
    source: Value,
    method: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// Answered with a text.
    Text(String),
    /// Answered with JSON.
    Json(Value),
    /// Answered without a body, with these headers.
    Headers(BTreeMap<String, String>),
    /// Answered without a body.
    NoContent,
    /// Adopts this secret and echoes it.
    Adopts(String),
    /// Fetches this.
    Confirms(String),
    /// Becomes an event.
    Event,
    /// Refused with this code and, for the owner, this word.
    Refused(String, String),
}

fn judged(case: &Case) -> Judged {
    let definition: Definition = serde_json::from_value(case.source.clone()).unwrap();
    let secrets = Secrets {
        second: definition.second_secret.clone(),
        ..Secrets::one(definition.secret.clone())
    };
    let source = Compiled::new(&Org::default(), &definition, secrets);
    let source = source.unwrap_or_else(|problems| panic!("{}: {problems:?}", case.name));
    let headers: HeaderMap = case
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect();
    let body = match &case.body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        document => document.to_string(),
    };
    let incoming = Incoming {
        method: case.method.parse().unwrap(),
        uri: format!("/webhooks/x{}", case.query).parse().unwrap(),
        headers,
        body: body.into(),
        remote: None,
    };
    let proxies = Proxies::default();
    let context = Context { proxies: &proxies, certificate: None, vouched: false };
    judge(&source, &incoming, DateTime::UNIX_EPOCH, context)
}

fn header(reply: &Reply, name: &str) -> String {
    let found = reply.headers.iter().find(|(other, _)| other == name);
    found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[test]
fn golden_greetings() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../testdata/greetings.json")).unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let (name, judged) = (&case.name, judged(&case));
        match (&case.expect, judged) {
            (Expect::Text(text), Judged::Greeting(Greeting::Answer(reply))) => {
                assert_eq!(reply.body, text, "{name}");
                assert!(header(&reply, "content-type").starts_with("text/plain"), "{name}");
                assert_eq!(header(&reply, "x-content-type-options"), "nosniff", "{name}");
                assert_eq!((reply.status, reply.event_id), (StatusCode::OK, None), "{name}");
            }
            (Expect::Json(document), Judged::Greeting(Greeting::Answer(reply))) => {
                let body: Value = serde_json::from_slice(&reply.body).unwrap();
                assert_eq!(body, *document, "{name}");
                assert_eq!(header(&reply, "content-type"), "application/json", "{name}");
                assert_eq!(reply.status, StatusCode::OK, "{name}");
            }
            (Expect::Headers(headers), Judged::Greeting(Greeting::Answer(reply))) => {
                assert_eq!((reply.status, reply.body.len()), (StatusCode::OK, 0), "{name}");
                for (key, value) in headers {
                    assert_eq!(header(&reply, key), *value, "{name}");
                }
            }
            (Expect::NoContent, Judged::Greeting(Greeting::Answer(reply))) => {
                assert_eq!((reply.status.as_u16(), reply.body.len()), (204, 0), "{name}");
            }
            (Expect::Adopts(wanted), Judged::Greeting(Greeting::Adopt(secret, reply))) => {
                assert_eq!(secret.expose(), wanted.as_bytes(), "{name}");
                assert_eq!(header(&reply, "x-hook-secret"), *wanted, "{name}");
            }
            (Expect::Confirms(wanted), Judged::Greeting(Greeting::Confirm(url, _))) => {
                assert_eq!(url.as_str(), wanted, "{name}");
            }
            (Expect::Event, Judged::Genuine { drafts, .. }) => {
                assert_eq!(drafts.into_vec().len(), 1, "{name}");
            }
            (Expect::Refused(code, word), Judged::Refused(refusal)) => {
                let body: Value = serde_json::from_slice(&refusal.reply.body).unwrap();
                assert_eq!(body["code"], *code, "{name}");
                let reason = refusal.reason.map(|reason| reason.code).unwrap_or_default();
                assert_eq!(reason, word, "{name}");
            }
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
}
