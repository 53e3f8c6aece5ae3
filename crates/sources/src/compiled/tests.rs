//! Which definitions compile, and where a wrong one is told.

use serde_json::{Value, json};

use super::*;

fn pointers(document: Value) -> Vec<String> {
    let definition: Definition = serde_json::from_value(document).unwrap();
    let second = definition.second_secret.clone();
    let secrets = Secrets { second, ..Secrets::one(definition.secret.clone()) };
    match Compiled::new(&Org::default(), &definition, secrets) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(|problem| problem.pointer).collect(),
    }
}

#[test]
fn good_definitions_compile() {
    for good in [
        json!({ "name": "plain" }),
        json!({ "name": "gh", "provider": "github", "secret": "s" }),
        json!({ "name": "gh", "provider": "github", "verifier": "none" }),
        json!({ "name": "asana", "handshake": "asana", "verifier": { "hmacSha256":
                { "header": "X-Hook-Signature", "encoding": "hex" } } }),
        json!({ "name": "meta", "handshake": "meta", "secondSecret": "t" }),
        json!({ "name": "a", "allowedIps": ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32"],
                "publicUrl": "https://hooks.example.com/in?x=1",
                "limits": { "requestsPerSecond": 10, "burst": 20 },
                "response": { "status": 202, "contentType": "text/xml", "body": "<Response/>" } }),
        json!({ "name": "a", "response": { "status": 204 } }),
        json!({ "name": "a_b-9", "secret": "s", "expectedHeaders": { "X-Env": "prod" },
                "verifier": { "apiKey": { "header": "X-Key", "prefix": "Bearer " } } }),
    ] {
        assert!(pointers(good.clone()).is_empty(), "{good} was refused");
    }
}

#[test]
fn every_fault_is_told_with_its_pointer() {
    for (bad, expected) in [
        (json!({ "name": "A.b" }), vec!["/name"]),
        (json!({ "name": "" }), vec!["/name"]),
        (json!({ "name": "a".repeat(65) }), vec!["/name"]),
        (json!({ "name": "gh", "provider": "github" }), vec!["/secret"]),
        (json!({ "name": "gh", "provider": "github", "secret": "" }), vec!["/secret"]),
        (json!({ "name": "a", "secret": "s" }), vec!["/verifier"]),
        (json!({ "name": "a", "limits": { "bodyMaxBytes": 0 } }), vec!["/limits/bodyMaxBytes"]),
        (
            json!({ "name": "a", "limits": { "bodyMaxBytes": (15 << 20) + 1 } }),
            vec!["/limits/bodyMaxBytes"],
        ),
        (
            json!({ "name": "a", "secret": "s", "verifier": { "hmacSha256":
                { "header": "no header", "prefix": "\n", "encoding": "hex" } } }),
            vec!["/verifier/hmacSha256/prefix", "/verifier/hmacSha256/header"],
        ),
        (
            json!({ "name": "a", "expectedHeaders": { "X-A/B": "1" } }),
            vec!["/expectedHeaders/X-A~1B"],
        ),
        (
            json!({ "name": "!", "expectedHeaders": { "x": "a\nb" }, "idempotencyKeys": ["ok", "not ok"] }),
            vec!["/name", "/expectedHeaders/x", "/idempotencyKeys/1"],
        ),
        (json!({ "name": "a", "response": { "status": 199 } }), vec!["/response/status"]),
        (json!({ "name": "a", "response": { "status": 302 } }), vec!["/response/status"]),
        (
            json!({ "name": "a", "response": { "status": 204, "body": "x" } }),
            vec!["/response/body"],
        ),
        (
            json!({ "name": "a", "response": { "contentType": "no\n", "body": "x" } }),
            vec!["/response/contentType"],
        ),
        (
            json!({ "name": "a", "allowedIps": ["192.0.2.0/24", "192.0.2.0/33", "here"] }),
            vec!["/allowedIps/1", "/allowedIps/2"],
        ),
        (json!({ "name": "a", "publicUrl": "ftp://example.com/" }), vec!["/publicUrl"]),
        (json!({ "name": "a", "publicUrl": "https://me:pw@example.com/" }), vec!["/publicUrl"]),
        (json!({ "name": "a", "publicUrl": "example.com/x" }), vec!["/publicUrl"]),
        (
            json!({ "name": "a", "limits": { "requestsPerSecond": 0 } }),
            vec!["/limits/requestsPerSecond"],
        ),
        (json!({ "name": "a", "limits": { "burst": 5 } }), vec!["/limits/burst"]),
        (json!({ "name": "a", "handshake": "meta" }), vec!["/secondSecret"]),
        (json!({ "name": "a", "handshake": "zoom" }), vec!["/secret"]),
        (json!({ "name": "a", "idempotencyKeys": ["field:"] }), vec!["/idempotencyKeys/0"]),
        (json!({ "name": "a", "eventTypeFrom": { "path": "a..b" } }), vec!["/eventTypeFrom/path"]),
    ] {
        assert_eq!(pointers(bad.clone()), expected, "{bad}");
    }
}
