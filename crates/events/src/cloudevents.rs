//! CloudEvents 1.0 as others send them over NATS: read, never written. It must stay true that no input makes it fail in
//! another way than with an error, and that nothing is taken whose meaning is in doubt.

mod binary;
mod json;

use std::{collections::BTreeMap, fmt};

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// The one version that is read.
const VERSION: &str = "1.0";
/// What the media type of a message begins with that holds a whole CloudEvent.
const STRUCTURED: &str = "application/cloudevents";
/// The same with the one format that is read.
const STRUCTURED_JSON: &str = "application/cloudevents+json";
/// Most attributes of one event, extensions included; honest senders use about ten.
const ATTRIBUTES_MAX: usize = 64;
/// Most of a value that an error repeats, in characters.
const SHOWN_MAX: usize = 64;

/// An event of another system, by the CloudEvents specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudEvent {
    /// Unique among the events of its source.
    pub id: String,
    /// Who says so, a URI reference.
    pub source: String,
    /// What kind of thing happened, such as `com.example.order.paid`.
    pub event_type: String,
    /// What it is about, within the source.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<DateTime<Utc>>,
    /// The media type of the data, if it was said; without one it is JSON.
    pub content_type: Option<String>,
    /// Where the schema of the data is described.
    pub data_schema: Option<String>,
    /// All other attributes by name, numbers and booleans as text.
    pub extensions: BTreeMap<String, String>,
    /// What is told; empty when there is none.
    pub data: Bytes,
}

/// Why a message is no CloudEvent that can be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCloudEvent {
    /// An attribute that every CloudEvent has is not there.
    #[error(
        "it is no CloudEvent: `{attribute}` is missing; send it as the header `ce-{attribute}`, or the whole event as \
         JSON with the content type {STRUCTURED_JSON}"
    )]
    Missing {
        /// The attribute.
        attribute: &'static str,
    },
    /// It follows another version of the specification.
    #[error("`specversion` is `{found}`; only {VERSION} is read")]
    Version {
        /// The version that it names.
        found: String,
    },
    /// An attribute has a name or a value that it may not have.
    #[error("the attribute `{name}` {reason}")]
    Attribute {
        /// The attribute.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is in a format that is not read.
    #[error(
        "the content type `{found}` is not read; send {STRUCTURED_JSON}, or attributes as `ce-` headers"
    )]
    Format {
        /// The content type.
        found: String,
    },
    /// It says to be JSON and is not, or not an object.
    #[error("the message is not a JSON object")]
    Json(#[source] serde_json::Error),
    /// The data cannot be read.
    #[error("the data cannot be read: {0}")]
    Data(&'static str),
}

impl CloudEvent {
    /// Reads a message of NATS: structured when its `Content-Type` begins with `application/cloudevents`, otherwise
    /// binary, with the attributes in headers `ce-*`. Case does not matter in the names of headers.
    ///
    /// # Errors
    /// See [`InvalidCloudEvent`].
    pub fn from_message<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &Bytes,
    ) -> Result<Self, InvalidCloudEvent> {
        let headers: Vec<(&str, &str)> = headers.into_iter().collect();
        let content_type =
            headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.map(|(_, value)| value.trim());
        match content_type {
            Some(kind) if begins_with(kind, STRUCTURED) => {
                let format = kind.split(';').next().unwrap_or_default().trim();
                if !format.eq_ignore_ascii_case(STRUCTURED_JSON) {
                    return Err(InvalidCloudEvent::Format { found: shown(kind) });
                }
                Self::from_json(body)
            }
            _ => binary::read(&headers, content_type, body),
        }
    }

    /// Reads a CloudEvent in the JSON format.
    ///
    /// The data stays the text that it is there, byte for byte.
    ///
    /// # Errors
    /// See [`InvalidCloudEvent`].
    pub fn from_json(body: &Bytes) -> Result<Self, InvalidCloudEvent> {
        json::read(body)
    }

    /// Whether the data is JSON, going by its media type.
    pub fn is_json(&self) -> bool {
        self.content_type.as_deref().is_none_or(is_json)
    }

    fn build(mut attributes: Attributes, data: Bytes) -> Result<Self, InvalidCloudEvent> {
        let version = attributes.required("specversion")?;
        if version != VERSION {
            return Err(InvalidCloudEvent::Version { found: shown(&version) });
        }
        let time = attributes.optional("time").map(|time| DateTime::parse_from_rfc3339(&time));
        let time = time
            .transpose()
            .map_err(|_| invalid("time", "is not a time such as 2026-01-31T23:59:59Z"))?;
        Ok(Self {
            id: attributes.required("id")?,
            source: attributes.required("source")?,
            event_type: attributes.required("type")?,
            subject: attributes.optional("subject"),
            time: time.map(|time| time.to_utc()),
            content_type: attributes.optional("datacontenttype"),
            data_schema: attributes.optional("dataschema"),
            extensions: attributes.0,
            data,
        })
    }
}

/// The attributes while they are gathered.
#[derive(Debug, Default)]
struct Attributes(BTreeMap<String, String>);

impl Attributes {
    fn add(&mut self, name: &str, value: String) -> Result<(), InvalidCloudEvent> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let reason = if name.is_empty() || name == "data" || !name.bytes().all(good) {
            "is no name: names are of a-z and 0-9"
        } else if value.is_empty() {
            "is empty: leave it out instead"
        } else if value.contains(char::is_control) {
            "has a control character"
        } else if self.0.len() == ATTRIBUTES_MAX {
            "is one too many: 64 are read"
        } else if self.0.contains_key(name) {
            "is there more than once"
        } else {
            self.0.insert(name.to_owned(), value);
            return Ok(());
        };
        Err(invalid(name, reason))
    }

    fn required(&mut self, attribute: &'static str) -> Result<String, InvalidCloudEvent> {
        self.optional(attribute).ok_or(InvalidCloudEvent::Missing { attribute })
    }

    fn optional(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }
}

fn invalid(name: &str, reason: &'static str) -> InvalidCloudEvent {
    InvalidCloudEvent::Attribute { name: shown(name), reason }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

fn begins_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// Whether a media type is `*/json` or `*/*+json`.
fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    let subtype = kind.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    kind.contains('/') && (subtype == "json" || subtype.ends_with("+json"))
}

impl fmt::Display for CloudEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}` of {}", self.event_type, self.id, self.source)
    }
}

#[cfg(test)]
mod tests;
