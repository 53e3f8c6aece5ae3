//! What is read and what is refused, case by case, and that nothing makes the reader panic.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use super::*;

/// One case of `testdata/cloudevents.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// A text is sent as it is, anything else as JSON.
    #[serde(default)]
    body: Value,
    /// What the event must have; what is not named must be absent.
    #[serde(default)]
    event: Value,
    /// What the text of the refusal must hold.
    #[serde(default)]
    refused: Option<String>,
}

fn read(case: &Case) -> Result<CloudEvent, InvalidCloudEvent> {
    let body = match &case.body {
        Value::Null => Bytes::new(),
        Value::String(text) => text.clone().into(),
        json => json.to_string().into(),
    };
    let headers = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    CloudEvent::from_message(headers, &body)
}

fn shape(event: &CloudEvent) -> Value {
    let mut shape = serde_json::json!({
        "id": event.id, "source": event.source, "type": event.event_type, "subject": event.subject,
        "time": event.time.map(crate::rfc3339_millis), "contentType": event.content_type,
        "dataSchema": event.data_schema, "extensions": event.extensions,
        "data": String::from_utf8_lossy(&event.data),
    });
    if let Value::Object(fields) = &mut shape {
        fields.retain(|_, v| {
            !(v.is_null() || v == "" || v.as_object().is_some_and(serde_json::Map::is_empty))
        });
    }
    shape
}

#[test]
fn golden_cases() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../testdata/cloudevents.json")).unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        match (read(&case), &case.refused) {
            (Ok(event), None) => assert_eq!(shape(&event), case.event, "{}", case.name),
            (Err(error), Some(text)) => {
                assert!(error.to_string().contains(text), "{}: {error}", case.name);
            }
            (result, _) => panic!("{}: {result:?}", case.name),
        }
    }
}

#[test]
fn data_of_a_json_event_stays_byte_for_byte() {
    let body = Bytes::from_static(
        br#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{ "z": 1.50, "a": 12345678901234567890123 }}"#,
    );
    let event = CloudEvent::from_json(&body).unwrap();
    assert_eq!(&event.data[..], br#"{ "z": 1.50, "a": 12345678901234567890123 }"#);
}

#[test]
fn a_deep_document_does_not_break_the_reader() {
    let deep = "[".repeat(1 << 20);
    let closed = format!("{deep}{}", "]".repeat(1 << 20));
    for data in [deep, closed] {
        for name in ["data", "x"] {
            let body = format!(
                r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","{name}":{data}}}"#
            );
            drop(CloudEvent::from_json(&body.into()));
        }
    }
}

#[test]
fn attributes_are_bounded() {
    let headers = |count: usize| -> Vec<(String, String)> {
        (0..count).map(|i| (format!("ce-x{i}"), "1".to_owned())).collect()
    };
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|i| format!(r#""x{i}":1"#)).collect();
        Bytes::from(format!("{{{}}}", members.join(",")))
    };
    for count in [65, 66, 67, 10_000] {
        let many = headers(count);
        let by_headers = CloudEvent::from_message(
            many.iter().map(|(n, v)| (n.as_str(), v.as_str())),
            &Bytes::new(),
        );
        assert!(matches!(by_headers, Err(InvalidCloudEvent::Attribute { .. })));
        assert!(CloudEvent::from_json(&members(count)).is_err());
    }
    let missing = CloudEvent::from_json(&members(64)).unwrap_err();
    assert!(matches!(missing, InvalidCloudEvent::Missing { .. }), "{missing}");
}

proptest! {
    #[test]
    fn no_message_makes_it_panic(
        headers in prop::collection::vec(
            ("(ce-|CE-|c)?[a-z]{0,6}|content-type|ce-(id|source|type|specversion|time)", "\\PC{0,20}|1\\.0|[%\"\\\\a-f0-9]{0,12}|application/cloudevents.{0,8}"),
            0..8,
        ),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        drop(CloudEvent::from_message(headers, &body.into()));
    }

    #[test]
    fn no_document_makes_it_panic(
        members in prop::collection::vec(
            ("\"(id|source|type|specversion|time|data|data_base64|datacontenttype|x)\"",
             "\"\\PC{0,12}\"|null|true|-?[0-9]{1,12}|\\{\\}|\\[1\\]|\"1\\.0\"|\"text/plain\""),
            0..10,
        ),
        cut in 0usize..200,
    ) {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let body = Bytes::from(format!("{{{}}}", members.join(",")));
        drop(CloudEvent::from_json(&body));
        drop(CloudEvent::from_json(&body.slice(..cut.min(body.len()))));
    }

    /// What a sender encodes by the rules of the specification is read as what it meant.
    #[test]
    fn encoded_headers_are_read(value in "\\PC{1,40}", quoted in any::<bool>()) {
        let mut encoded = String::new();
        for c in value.chars() {
            if ('!'..='~').contains(&c) && c != '"' && c != '%' {
                encoded.push(c);
            } else {
                let mut bytes = [0; 4];
                for byte in c.encode_utf8(&mut bytes).bytes() {
                    write!(encoded, "%{byte:02X}").unwrap();
                }
            }
        }
        if quoted {
            encoded = format!("\"{}\"", encoded.replace('\\', "\\\\"));
        }
        let headers = [("ce-specversion", "1.0"), ("ce-id", &encoded), ("ce-source", "/s"), ("ce-type", "t")];
        let event = CloudEvent::from_message(headers, &Bytes::new()).unwrap();
        prop_assert_eq!(event.id, value);
    }
}
