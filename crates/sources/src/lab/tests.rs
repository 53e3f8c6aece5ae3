//! Every cause has a case in `testdata/lab.json`: how the sender signed, and what came of it.

use std::collections::BTreeMap;

use http::{HeaderName, HeaderValue, Method};
use omni_crypto::Secret;
use omni_events::Org;
use serde::Deserialize;

use super::*;
use crate::{compiled::Compiled, webhook::RequestView};

/// When the request comes, unless the case says something else.
const NOW: i64 = 1_700_000_000;
const URL: &str = "https://omni.example/webhooks/shop";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    name: String,
    /// The source, with its secret.
    source: serde_json::Value,
    #[serde(default)]
    retired: Option<String>,
    #[serde(default)]
    others: BTreeMap<String, String>,
    /// How the sender signed; not at all without it.
    #[serde(default)]
    sent: Option<Sent>,
    #[serde(default)]
    came: Came,
    /// The causes, as `cause` or `cause:likely`.
    expect: Vec<String>,
    /// What the first detail must hold.
    #[serde(default)]
    says: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Sent {
    /// Another source by which it was signed.
    #[serde(default)]
    by: Option<serde_json::Value>,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    url: Option<String>,
    /// Seconds before it came.
    #[serde(default)]
    ago: i64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Came {
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_hex: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Header → what is replaced in its value, by what.
    #[serde(default)]
    replace: BTreeMap<String, (String, String)>,
    #[serde(default)]
    drop: Vec<String>,
}

fn definition(document: &serde_json::Value) -> Definition {
    serde_json::from_value(document.clone()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn path(url: &str) -> http::Uri {
    url.parse::<http::Uri>().unwrap().path_and_query().unwrap().as_str().parse().unwrap()
}

/// What the sender wrote into its headers.
fn signed(row: &Row, body: &str) -> http::HeaderMap {
    let mut headers = http::HeaderMap::new();
    let Some(sent) = &row.sent else { return headers };
    let by = definition(sent.by.as_ref().unwrap_or(&row.source));
    let secret = sent.secret.clone().map(Secret::from).or(by.secret.clone()).unwrap();
    let scheme = Scheme::new(&by.verifier(), "").unwrap();
    let url = sent.url.as_deref().unwrap_or(URL);
    let uri = path(url);
    let view = RequestView {
        method: &Method::POST,
        uri: &uri,
        url,
        headers: &headers.clone(),
        body: sent.body.as_deref().unwrap_or(body).as_bytes(),
    };
    let made = scheme.sign(view, &secret, by.second_secret.as_ref(), at(NOW - sent.ago));
    headers.extend(made.unwrap_or_else(|| panic!("{}: cannot be signed", row.name)));
    headers
}

fn case(row: &Row) -> Case {
    let definition = definition(&row.source);
    let secrets = Secrets::one(definition.secret.clone());
    // It must be one that can be saved.
    Compiled::new(&Org::default(), &definition, secrets.clone())
        .unwrap_or_else(|problems| panic!("{}: {problems:?}", row.name));
    let default = r#"{"b":1,"a":"x"}"#;
    let came = row.came.body.as_deref();
    let body = match &row.came.body_hex {
        Some(text) => hex::decode(text).unwrap(),
        None => {
            came.or(row.sent.as_ref().and_then(|s| s.body.as_deref())).unwrap_or(default).into()
        }
    };
    let mut headers = signed(row, came.unwrap_or(default));
    for (name, (from, to)) in &row.came.replace {
        let value = headers[name.as_str()].to_str().unwrap().replace(from.as_str(), to);
        headers.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    for name in &row.came.drop {
        headers.remove(name.as_str()).unwrap_or_else(|| panic!("{}: no {name}", row.name));
    }
    for (name, value) in &row.came.headers {
        headers.insert(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    }
    let url = row.came.url.as_deref().or(row.sent.as_ref().and_then(|s| s.url.as_deref()));
    let url = url.unwrap_or(URL);
    let secret = |text: &String| Secret::from(text.clone());
    Case {
        definition,
        secrets,
        retired: Secrets::one(row.retired.as_ref().map(secret)),
        others: row
            .others
            .iter()
            .map(|(name, text)| (name.clone(), Secrets::one(Some(secret(text)))))
            .collect(),
        incoming: Incoming {
            method: Method::POST,
            uri: path(url),
            headers,
            body: body.into(),
            remote: None,
        },
        url: url.to_owned(),
        at: at(NOW),
        certificate: None,
    }
}

#[test]
fn every_cause_is_found() {
    let rows: Vec<Row> = serde_json::from_str(include_str!("../../testdata/lab.json")).unwrap();
    assert!(rows.len() > 40);
    let mut wrong = Vec::new();
    for row in &rows {
        let case = case(row);
        let found = diagnose(&case);
        let causes: Vec<String> = found
            .iter()
            .map(|found| match found.certainty {
                Certainty::Certain => found.cause.clone(),
                Certainty::Likely => format!("{}:likely", found.cause),
                Certainty::Unknown => format!("{}:unknown", found.cause),
            })
            .collect();
        let said = found.iter().map(|found| format!("{} {}", found.detail, found.fix));
        let said = said.collect::<Vec<_>>().join("\n");
        if causes != row.expect || row.says.as_ref().is_some_and(|says| !said.contains(says)) {
            wrong.push(format!("{}: {causes:?}, expected {:?}\n  {said}", row.name, row.expect));
        }
        let stored = row.source["secret"].as_str().unwrap_or("-");
        let sent = row.sent.as_ref().and_then(|sent| sent.secret.as_deref()).unwrap_or(stored);
        for secret in [stored, sent, row.retired.as_deref().unwrap_or(stored)] {
            if secret.len() > 4 && said.contains(secret.trim()) {
                wrong.push(format!("{}: a secret is told", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_work_is_bounded_whatever_came() {
    let row = serde_json::json!({
        "name": "large", "source": { "name": "shop", "provider": "github", "secret": "canary-1" },
        "came": { "headers": { "x-hub-signature-256": format!("sha256={}", "0".repeat(64)) } }, "expect": [],
    });
    let mut case = case(&serde_json::from_value(row).unwrap());
    case.incoming.body = serde_json::to_vec(&vec!["x/é"; 1 << 18]).unwrap().into();
    let scheme = Scheme::new(&case.definition.verifier(), "").unwrap();
    let mut trial = Trial::new(&case, &scheme);
    let fault = trial.verify().unwrap_err();
    let mut found = Vec::new();
    mismatch(&mut trial, &fault, &mut found);
    assert!(found.is_empty());
    assert!(trial.is_exhausted() && trial.tries() < 300, "{} tries", trial.tries());
    assert_eq!(diagnose(&case)[0].certainty, Certainty::Unknown);
}
