//! Deliveries as GitHub sends them: a push, its headers, its signature.

use omni_crypto::hmac_sha256;
use serde_json::{Value, json};

/// A push to the given branch, in the shape of GitHub's documentation, reduced to what tests look at.
pub fn push(branch: &str) -> Value {
    json!({
        "ref": format!("refs/heads/{branch}"),
        "before": "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c",
        "after": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
        "repository": { "id": 526, "full_name": "octo/tide", "private": false, "size": 9_007_199_254_740_993_u64 },
        "pusher": { "name": "mona" },
        "commits": [
            { "id": "59b20b8", "message": "Raise the dyke", "added": ["dyke.rs"], "modified": ["README.md"] },
            { "id": "c441029", "message": "Lower the gate", "added": [], "modified": ["gate.rs", "gate.md"] }
        ]
    })
}

/// The headers of a delivery: its id, its event, and the signature of the body.
pub fn headers(secret: &str, event: &str, delivery: &str, body: &[u8]) -> Vec<(String, String)> {
    let signature = signature(secret, body);
    [
        ("content-type", "application/json".to_owned()),
        ("x-github-event", event.to_owned()),
        ("x-github-delivery", delivery.to_owned()),
        ("x-hub-signature-256", format!("sha256={signature}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

/// The HMAC-SHA256 of a body, in hex.
pub fn signature(secret: &str, body: &[u8]) -> String {
    use std::fmt::Write as _;
    hmac_sha256(secret.as_bytes(), &[body]).iter().fold(String::new(), |mut text, byte| {
        // Writing into a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
