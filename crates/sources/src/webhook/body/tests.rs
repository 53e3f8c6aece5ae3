//! Bodies as they come and the payloads that they become.

use http::HeaderName;
use serde::Deserialize;

use super::*;

/// One case of `testdata/bodies.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    body: String,
    /// Instead of `body`, for bytes that are no text.
    #[serde(default)]
    hex: String,
    /// The payload.
    #[serde(default)]
    payload: Value,
    /// The ids of CloudEvents.
    events: Option<Vec<String>>,
    /// What the error must say.
    error: Option<String>,
}

#[test]
fn golden_bodies() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../testdata/bodies.json")).unwrap();
    assert!(cases.len() > 25);
    for case in cases {
        let headers = case
            .headers
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
        let body = if case.hex.is_empty() {
            case.body.into_bytes()
        } else {
            hex::decode(&case.hex).unwrap()
        };
        let content = read(&headers.collect(), &body.into());
        match content {
            Ok(Content::Payload(payload)) => {
                assert_eq!(payload.to_value(), case.payload, "{}", case.name);
                assert!(case.error.is_none() && case.events.is_none(), "{}", case.name);
            }
            Ok(Content::CloudEvent(event)) => {
                assert_eq!(Some(vec![event.id]), case.events, "{}", case.name);
            }
            Ok(Content::CloudEvents(events)) => {
                let ids = events.into_iter().map(|(event, _)| event.id).collect();
                assert_eq!(Some(ids), case.events, "{}", case.name);
            }
            Err(error) => {
                let wanted = case.error.unwrap_or_else(|| panic!("{}: {error}", case.name));
                assert!(error.to_string().contains(&wanted), "{}: {error}", case.name);
            }
        }
    }
}

#[test]
fn json_is_kept_byte_for_byte_and_not_copied() {
    let text = Bytes::from(r#" { "b": 1.50, "a": 9007199254740993 } "#);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
    let Ok(Content::Payload(payload)) = read(&headers, &text) else { panic!("not read") };
    assert_eq!(payload.as_bytes().as_ptr(), text.as_ptr());
    assert_eq!(payload.as_bytes(), &text);
}

#[test]
fn what_is_many_is_refused() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
    let fields = |count: usize| Bytes::from("a&".repeat(count));
    assert!(read(&headers, &fields(form::FIELDS_MAX)).is_ok());
    let error = read(&headers, &fields(form::FIELDS_MAX + 1)).unwrap_err();
    assert!(error.to_string().contains("1000"), "{error}");

    headers.insert(CONTENT_TYPE, "multipart/form-data; boundary=b".parse().unwrap());
    let part = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx\r\n";
    let files = |count: usize| Bytes::from(part.repeat(count) + "--b--\r\n");
    assert!(read(&headers, &files(100)).is_ok());
    assert!(read(&headers, &files(101)).is_err());

    headers.insert(CONTENT_TYPE, "application/cloudevents-batch+json".parse().unwrap());
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#;
    let batch = |count: usize| Bytes::from(format!("[{}]", vec![event; count].join(",")));
    assert!(read(&headers, &batch(1000)).is_ok());
    assert!(read(&headers, &batch(1001)).is_err());
}
