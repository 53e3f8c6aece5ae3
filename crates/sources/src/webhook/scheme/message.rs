//! What was signed, put together from a request.
//!
//! Values stand as they were sent: nothing is read and written again, which would change its bytes.

use std::borrow::Cow;

use http::Uri;
use omni_crypto::{Secret, sha256};
use serde::Deserialize;

use super::{
    fault::{Fault, Spot},
    field,
    place::Place,
};
use crate::webhook::request::RequestView;

/// Says, in a signed URL, what a body that is no form must be.
const BODY_HASH: &str = "bodySHA256";
/// The field of Amazon SNS that names the algorithm.
const SNS_VERSION: &str = "SignatureVersion";

/// A part of what was signed, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Body,
    Text(String),
    Timestamp,
    /// A header or a field.
    Value(Place),
    Method,
    Url,
    SecondSecret,
    BodyCrc32,
    FormFields,
    SnsFields,
}

/// What the parts are taken from.
#[derive(Clone, Copy)]
pub(super) struct Material<'r> {
    pub(super) request: RequestView<'r>,
    /// The timestamp as it was sent; empty where there is none.
    pub(super) timestamp: &'r [u8],
    pub(super) second: Option<&'r Secret>,
}

/// The bytes of the parts in their order.
pub(super) fn parts<'r>(
    signed: &'r [Part],
    material: Material<'r>,
) -> Result<Vec<Cow<'r, [u8]>>, Fault> {
    signed.iter().map(|part| bytes(part, material)).collect()
}

fn bytes<'r>(part: &'r Part, material: Material<'r>) -> Result<Cow<'r, [u8]>, Fault> {
    let request = material.request;
    Ok(match part {
        Part::Body => request.body.into(),
        Part::Text(text) => text.as_bytes().into(),
        Part::Timestamp => material.timestamp.into(),
        Part::Value(place) => place.read(request)?,
        Part::Method => request.method.as_str().as_bytes().into(),
        Part::Url => request.url.as_bytes().into(),
        Part::SecondSecret => material.second.ok_or(Fault::NoSecret)?.expose().into(),
        Part::BodyCrc32 => crc32fast::hash(request.body).to_string().into_bytes().into(),
        Part::FormFields => form_fields(request)?.into(),
        Part::SnsFields => sns_fields(request.body, material.second)?.into(),
    })
}

/// The fields of a form by name, each once, as Twilio signs them. Of another body the URL must hold the hash.
fn form_fields(request: RequestView<'_>) -> Result<Vec<u8>, Fault> {
    if !field::is_form(request.headers) {
        if !request.body.is_empty() {
            body_hash(request)?;
        }
        return Ok(Vec::new());
    }
    let mut fields: Vec<_> = field::form(request.body).collect();
    fields.sort_unstable();
    fields.dedup();
    Ok(fields.into_iter().flat_map(|(name, value)| [name, value]).collect::<String>().into_bytes())
}

/// Checks the body against the hash in the URL that is signed.
fn body_hash(request: RequestView<'_>) -> Result<(), Fault> {
    let spot = || Spot::Query(BODY_HASH.to_owned());
    let query = request.url.parse::<Uri>().ok();
    let query = query.as_ref().and_then(Uri::query).unwrap_or_default();
    let hash = field::only(query.as_bytes(), BODY_HASH).map_err(|fault| match fault {
        field::NoField::Missing => Fault::Missing(spot()),
        field::NoField::Repeated => Fault::Repeated(spot()),
    })?;
    // The hash is no secret: its sender wrote it.
    if hash.eq_ignore_ascii_case(&hex::encode(sha256(&[request.body]))) {
        Ok(())
    } else {
        Err(Fault::BodyHash)
    }
}

/// A message of Amazon SNS, as far as it is signed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns<'b> {
    #[serde(borrow, rename = "Type")]
    kind: Cow<'b, str>,
    #[serde(borrow)]
    message: Cow<'b, str>,
    #[serde(borrow)]
    message_id: Cow<'b, str>,
    #[serde(borrow, default)]
    subject: Option<Cow<'b, str>>,
    #[serde(borrow, rename = "SubscribeURL", default)]
    subscribe_url: Option<Cow<'b, str>>,
    #[serde(borrow)]
    timestamp: Cow<'b, str>,
    #[serde(borrow, default)]
    token: Option<Cow<'b, str>>,
    #[serde(borrow)]
    topic_arn: Cow<'b, str>,
}

/// The lines of a message of the topic that the source names: Amazon signs those of every topic of anybody.
fn sns_fields(body: &[u8], topic: Option<&Secret>) -> Result<Vec<u8>, Fault> {
    let missing = |name: &str| Fault::Missing(Spot::Field(name.to_owned()));
    let message: Sns<'_> = serde_json::from_slice(body)
        .map_err(|_| missing("Type, Message, MessageId, Timestamp or TopicArn"))?;
    if topic.ok_or(Fault::NoSecret)?.expose() != message.topic_arn.as_bytes() {
        return Err(Fault::WrongSecret(Spot::Field("TopicArn".to_owned())));
    }
    let mut lines = Vec::with_capacity(body.len());
    let mut line = |name: &str, value: &str| {
        for text in [name, "\n", value, "\n"] {
            lines.extend_from_slice(text.as_bytes());
        }
    };
    line("Message", &message.message);
    line("MessageId", &message.message_id);
    match &*message.kind {
        "Notification" => {
            if let Some(subject) = &message.subject {
                line("Subject", subject);
            }
            line("Timestamp", &message.timestamp);
        }
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            let url = message.subscribe_url.ok_or_else(|| missing("SubscribeURL"))?;
            line("SubscribeURL", &url);
            line("Timestamp", &message.timestamp);
            line("Token", &message.token.ok_or_else(|| missing("Token"))?);
        }
        _ => return Err(Fault::Malformed(Spot::Field("Type".to_owned()))),
    }
    line("TopicArn", &message.topic_arn);
    line("Type", &message.kind);
    Ok(lines)
}

/// Whether a message of Amazon SNS says that it is signed with SHA-1.
pub(super) fn sns_is_sha1(request: RequestView<'_>) -> Result<bool, Fault> {
    let place = Place::Field(vec![SNS_VERSION.to_owned()]);
    match &*place.read(request)? {
        b"1" => Ok(true),
        b"2" => Ok(false),
        _ => Err(Fault::Malformed(place.spot())),
    }
}
