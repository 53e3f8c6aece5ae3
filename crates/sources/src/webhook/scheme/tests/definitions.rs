//! Definitions that go together, and those that do not.

use serde_json::{Value, json};

use super::super::Scheme;
use crate::definition::Verifier;

fn pointers(verifier: Value) -> Vec<String> {
    let verifier: Verifier = serde_json::from_value(verifier).unwrap();
    let problems = Scheme::new(&verifier, "/verifier").err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.pointer).collect()
}

/// A good signature with some members changed; `null` takes one out.
fn signature(changes: Value) -> Value {
    let mut signature = json!({
        "algorithm": "hmacSha256", "from": { "header": "X-Sig" }, "encoding": "hex",
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => signature.as_object_mut().unwrap().remove(name),
            value => signature.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    json!({ "signature": signature })
}

#[test]
fn good_verifiers_compile() {
    let certificate =
        json!({ "certificate": { "url": { "header": "X-Url" }, "hosts": ["*.example.com"] } });
    for good in [
        json!("none"),
        json!({ "basic": { "user": "" } }),
        json!({ "token": { "from": { "query": "key" } } }),
        json!({ "apiKey": { "header": "X-Key", "prefix": "Bearer " } }),
        signature(json!({})),
        signature(json!({ "prefix": "v1,", "separator": " " })),
        signature(json!({ "from": { "query": "sig" }, "signed": ["method", "body"] })),
        signature(
            json!({ "from": { "field": "sig" }, "signed": [{ "field": "a.b" }, { "text": "|" }] }),
        ),
        signature(json!({ "timestamp": { "from": { "field": "time" } } })),
        signature(json!({ "timestamp": { "from": { "query": "t" } }, "signed": ["url", "body"] })),
        signature(
            json!({ "timestamp": { "from": { "header": "X-T" } }, "signed": [{ "header": "X-T" }, "body"] }),
        ),
        signature(
            json!({ "pairs": { "signature": "v1" }, "timestamp": { "from": { "pair": "t" } },
                          "signed": ["timestamp", "body"] }),
        ),
        signature(json!({ "algorithm": "rsaSha256", "key": "pem" })),
        signature(json!({ "algorithm": "ed25519", "key": certificate })),
    ] {
        assert!(pointers(good.clone()).is_empty(), "{good}: {:?}", pointers(good.clone()));
    }
}

#[test]
fn contradictions_are_told_with_their_place() {
    let certificate =
        |hosts: Value| json!({ "certificate": { "url": { "header": "X-Url" }, "hosts": hosts } });
    for (bad, expected) in [
        (json!({ "basic": { "user": "a:b" } }), "/basic/user"),
        (json!({ "token": { "from": { "pair": "t" } } }), "/token/from/pair"),
        (json!({ "token": { "from": { "field": "a..b" } } }), "/token/from/field"),
        (json!({ "token": { "from": { "query": "" } } }), "/token/from/query"),
        (json!({ "apiKey": { "header": "no header" } }), "/apiKey/header"),
        (json!({ "apiKey": { "header": "x", "prefix": "" } }), "/apiKey/prefix"),
        (signature(json!({ "from": { "pair": "v1" } })), "/signature/from/pair"),
        (signature(json!({ "prefix": "" })), "/signature/prefix"),
        (signature(json!({ "prefix": "v1,", "separator": "," })), "/signature/separator"),
        (signature(json!({ "separator": "a" })), "/signature/separator"),
        (signature(json!({ "separator": "" })), "/signature/separator"),
        (signature(json!({ "pairs": { "signature": "v=1" } })), "/signature/pairs/signature"),
        (
            signature(json!({ "pairs": { "signature": "v1" }, "prefix": "v1=" })),
            "/signature/prefix",
        ),
        (signature(json!({ "key": "pem" })), "/signature/key"),
        (signature(json!({ "key": { "prefixedBase64": "" } })), "/signature/key/prefixedBase64"),
        (signature(json!({ "key": certificate(json!(["a.example.com"])) })), "/signature/key"),
        (signature(json!({ "algorithm": "ed25519" })), "/signature/key"),
        (
            signature(json!({ "algorithm": "rsaSha1", "key": certificate(json!([])) })),
            "/signature/key/certificate/hosts",
        ),
        (
            signature(json!({ "algorithm": "rsaSha1", "key": certificate(json!(["*.com"])) })),
            "/signature/key/certificate/hosts/0",
        ),
        (
            signature(
                json!({ "algorithm": "rsaSha1", "key": certificate(json!(["a.example.com", "*"])) }),
            ),
            "/signature/key/certificate/hosts/1",
        ),
        (
            signature(
                json!({ "algorithm": "rsaSha1", "key": certificate(json!(["https://a.example.com"])) }),
            ),
            "/signature/key/certificate/hosts/0",
        ),
    ] {
        assert_eq!(pointers(bad.clone()), [format!("/verifier{expected}")], "{bad}");
    }
}

#[test]
fn what_proves_nothing_or_never_fits_is_told_with_its_place() {
    let stamped = |from: Value, signed: Value| {
        signature(json!({ "timestamp": { "from": from }, "signed": signed }))
    };
    for (bad, expected) in [
        (signature(json!({ "signed": [] })), "/signature/signed"),
        (signature(json!({ "signed": [{ "text": "always" }] })), "/signature/signed"),
        (signature(json!({ "signed": ["secondSecret"] })), "/signature/signed"),
        (signature(json!({ "signed": [{ "header": "no header" }] })), "/signature/signed/0/header"),
        (signature(json!({ "signed": ["body", { "header": "X-Sig" }] })), "/signature/signed"),
        (signature(json!({ "signed": ["timestamp", "body"] })), "/signature/timestamp"),
        (signature(json!({ "signed": ["formFields"] })), "/signature/signed"),
        (signature(json!({ "signed": ["snsFields"] })), "/signature/signed"),
        (signature(json!({ "from": { "field": "sig" } })), "/signature/from"),
        (signature(json!({ "from": { "query": "sig" }, "signed": ["url"] })), "/signature/from"),
        (stamped(json!({ "header": "X-T" }), json!(["body"])), "/signature/timestamp"),
        (stamped(json!({ "query": "t" }), json!(["body"])), "/signature/timestamp"),
        (stamped(json!({ "field": "t" }), json!(["url"])), "/signature/timestamp"),
        (
            stamped(json!({ "pair": "t" }), json!(["timestamp", "body"])),
            "/signature/timestamp/from/pair",
        ),
        (
            signature(
                json!({ "timestamp": { "from": { "pair": "t" } }, "pairs": { "signature": "v1" } }),
            ),
            "/signature/timestamp",
        ),
        (
            signature(json!({ "timestamp": { "from": { "header": "X-T" }, "toleranceSeconds": 0 },
                              "signed": ["timestamp", "body"] })),
            "/signature/timestamp/toleranceSeconds",
        ),
        (
            signature(
                json!({ "timestamp": { "from": { "header": "X-T" }, "toleranceSeconds": 86401 },
                              "signed": ["timestamp", "body"] }),
            ),
            "/signature/timestamp/toleranceSeconds",
        ),
    ] {
        assert_eq!(pointers(bad.clone()), [format!("/verifier{expected}")], "{bad}");
    }
}

#[test]
fn only_a_header_that_holds_the_secret_is_kept_out() {
    let header = |verifier: Value| {
        let verifier: Verifier = serde_json::from_value(verifier).unwrap();
        Scheme::new(&verifier, "").unwrap().secret_header().map(ToString::to_string)
    };
    assert_eq!(header(json!({ "basic": { "user": "u" } })).as_deref(), Some("authorization"));
    assert_eq!(header(json!({ "apiKey": { "header": "X-Key" } })).as_deref(), Some("x-key"));
    assert_eq!(header(json!({ "token": { "from": { "header": "X-T" } } })).as_deref(), Some("x-t"));
    assert_eq!(header(json!({ "token": { "from": { "query": "t" } } })), None);
    assert_eq!(header(signature(json!({}))), None);
}
