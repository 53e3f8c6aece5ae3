//! Greetings in bodies: they are answered only after the proof holds.

use chrono::{DateTime, Utc};
use http::HeaderName;
use omni_crypto::hmac_sha256;
use serde_json::json;
use url::Url;

use super::{CHALLENGE_LEN_MAX, Greeting, acknowledged, echo, malformed, newest};
use crate::{
    compiled::Compiled,
    definition::Handshake,
    webhook::{
        Reply,
        body::Document,
        judge::{Check, Refusal},
    },
};

/// Where Amazon says which topic a message is of.
const TOPIC: HeaderName = HeaderName::from_static("x-amz-sns-topic-arn");

/// What a greeting in a genuine body is answered; `None` when it is no greeting of this source.
pub(crate) fn signed(
    source: &Compiled,
    document: &Document,
    now: DateTime<Utc>,
) -> Option<Result<Greeting, Refusal>> {
    match source.handshake? {
        Handshake::Slack => {
            (document.text("type")? == "url_verification").then_some(())?;
            Some(echo(document.text("challenge")?.to_owned()))
        }
        Handshake::Zoom => {
            (document.text("event")? == "endpoint.url_validation").then_some(())?;
            let token = document.tree().pointer("/payload/plainToken")?.as_str()?;
            Some(zoom(source, token, now))
        }
        Handshake::Twitch => twitch(document),
        Handshake::Discord => discord(document),
        Handshake::Sns => {
            (document.text("Type")? == "SubscriptionConfirmation").then_some(())?;
            Some(sns(document.text("SubscribeURL").unwrap_or_default()))
        }
        _ => None,
    }
}

fn zoom(source: &Compiled, token: &str, now: DateTime<Utc>) -> Result<Greeting, Refusal> {
    if token.len() > CHALLENGE_LEN_MAX {
        return Err(malformed(format!("The token is longer than {CHALLENGE_LEN_MAX} bytes.")));
    }
    let tag = hmac_sha256(newest(source, now)?, &[token.as_bytes()]);
    let answer = json!({ "plainToken": token, "encryptedToken": hex::encode(tag) });
    Ok(Greeting::Answer(Reply::json(&answer)))
}

/// A verification is told from a notification by its body: the header that names it is not signed.
fn twitch(document: &Document) -> Option<Result<Greeting, Refusal>> {
    let challenge = document.text("challenge")?;
    let tree = document.tree();
    let event = tree.get("event").or_else(|| tree.get("events"));
    event.is_none().then(|| echo(challenge.to_owned()))
}

/// The pings of both kinds of Discord: an interaction of type 1 wants a pong, a webhook event of type 0 wants nothing.
/// A webhook event of type 1 is an event.
fn discord(document: &Document) -> Option<Result<Greeting, Refusal>> {
    let tree = document.tree();
    if tree.get("event").is_some() {
        return None;
    }
    match tree.get("type")?.as_u64()? {
        0 => Some(Ok(Greeting::Answer(acknowledged()))),
        1 => Some(Ok(Greeting::Answer(Reply::json(&json!({ "type": 1 }))))),
        _ => None,
    }
}

/// The address to confirm a subscription at is believed only when it is Amazon's own and does nothing else.
fn sns(text: &str) -> Result<Greeting, Refusal> {
    let wrong = || malformed("`SubscribeURL` is no address of Amazon SNS.".to_owned());
    let url = Url::parse(text).map_err(|_| wrong())?;
    let host = url.host_str().unwrap_or_default();
    let amazon = host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn");
    let confirms =
        url.query_pairs().any(|(key, value)| key == "Action" && value == "ConfirmSubscription");
    let plain = url.scheme() == "https" && url.port().is_none() && url.username().is_empty();
    if !plain || !amazon || !host.starts_with("sns.") || !confirms {
        return Err(wrong());
    }
    Ok(Greeting::Confirm(url, Reply::json(&json!({ "acknowledged": true }))))
}

/// Whether a message is of another topic than the source expects. Amazon signs for whoever has an account, so its
/// signature alone does not say whose message it is, and the header with the topic is not signed.
pub(crate) fn misses_topic(source: &Compiled, document: &Document) -> Option<Refusal> {
    if source.handshake != Some(Handshake::Sns) {
        return None;
    }
    let (_, wanted) = source.expected.iter().find(|(name, _)| *name == TOPIC)?;
    let found = document.text("TopicArn").unwrap_or_default();
    (found.as_bytes() != wanted.as_bytes()).then(|| {
        let reason = format!("the field `TopicArn` is not the expected value of {TOPIC}");
        Refusal::not_genuine(Check::ExpectedHeaders, "other-topic", reason)
    })
}
