//! Which messages become which events, case by case, and that no message becomes anything but a custom event.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::cloudevent::event_type;

/// One case of `testdata/bridge.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "usual")]
    subject: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
    /// Fields of the draft that the case is about.
    #[serde(default)]
    draft: Value,
    /// What the reason must hold.
    #[serde(default)]
    refused: Option<String>,
}

fn usual() -> String {
    "in.default.shop".to_owned()
}

fn shape(draft: &Draft) -> Value {
    let metadata = &draft.metadata;
    let capture = draft.capture.as_ref().unwrap();
    json!({
        "type": draft.event_type, "org": metadata.org, "source": draft.source,
        "payload": draft.payload.to_value(), "time": draft.time.map(omni_events::rfc3339_millis),
        "correlationId": metadata.correlation_id, "traceparent": metadata.traceparent,
        "channelType": metadata.channel_type, "instanceId": metadata.instance_id,
        "hops": metadata.hops, "causationId": metadata.causation_id, "direction": metadata.direction,
        "provider": metadata.provider, "providerEventId": metadata.provider_event_id,
        "scope": draft.dedupe.as_ref().unwrap().scope,
        "capturedBody": capture.body().map(|body| String::from_utf8_lossy(body)),
        "capturedHeaders": capture.headers(),
    })
}

#[test]
fn golden_cases() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../testdata/bridge.json")).unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let body = Bytes::from(case.body);
        match (draft(&case.subject, &case.headers, &body), &case.refused) {
            (Ok(draft), None) => {
                let shape = shape(&draft);
                for (field, expected) in case.draft.as_object().unwrap() {
                    assert_eq!(shape.get(field), Some(expected), "{}: {field}", case.name);
                }
            }
            (Err(reason), Some(text)) => {
                assert!(reason.contains(text), "{}: {reason}", case.name);
            }
            (result, _) => panic!("{}: {result:?}", case.name),
        }
    }
}

fn message(source: &str, id: &str, other: (&str, &str), body: &str) -> Draft {
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-type", "order.paid"),
        ("ce-source", source),
        ("ce-id", id),
        other,
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    draft("in.default.shop", &headers, &Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[test]
fn source_and_id_make_an_event_and_its_data_the_proof() {
    let first = message("/a", "1", ("ce-time", "2026-01-01T00:00:00Z"), "{}").dedupe.unwrap();
    let again = message("/a", "1", ("ce-time", "2026-01-02T00:00:00Z"), "{}").dedupe.unwrap();
    assert_eq!((&first.key, first.body_hash), (&again.key, again.body_hash));
    let changed = message("/a", "1", ("x", "y"), "[]").dedupe.unwrap();
    assert_eq!(changed.key, first.key);
    assert_ne!(changed.body_hash, first.body_hash);
    for (source, id) in [("/a", "2"), ("/b", "1"), ("/a1", "1"), ("/", "a1")] {
        let other = message(source, id, ("x", "y"), "{}").dedupe.unwrap();
        assert_ne!(other.key, first.key, "{source} {id}");
    }
}

#[test]
fn json_stays_as_it_was_sent() {
    let draft =
        message("/a", "1", ("ce-datacontenttype", "application/json"), "{ \"total\": 1.50 }");
    assert_eq!(draft.payload.as_str(), "{ \"total\": 1.50 }");
    assert!(draft.capture.unwrap().body().is_none());
}

proptest! {
    #[test]
    fn any_type_becomes_a_custom_one_or_is_refused(name in "\\PC{1,80}|[A-Za-z.:/é -]{1,220}|(custom|system|message)(\\.[a-z]{1,5}){0,15}") {
        if let Ok(event_type) = event_type(&name) {
            prop_assert_eq!(event_type.domain(), omni_events::Domain::Custom);
        }
    }

    #[test]
    fn no_message_makes_it_panic(
        subject in "(in|a)?\\.?[a-z.]{0,12}\\.?\\PC{0,5}",
        values in prop::collection::vec("\\PC{1,30}|1\\.0|[0-9]{1,6}", 8),
        body in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let names = ["ce-specversion", "ce-id", "ce-source", "ce-type", "ce-omnihops", "ce-time",
            "ce-datacontenttype", "content-type"];
        let headers: Vec<(String, String)> =
            names.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value)).collect();
        drop(draft(&subject, &headers, &body.into()));
    }
}
