//! Event types: `{domain}.{action}` and deeper, and the patterns that select them.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest event type in bytes: the column and the bus subject are sized for it.
const TYPE_LEN_MAX: usize = 200;
/// Most dotted parts of an event type; a bus subject has two more.
pub(crate) const TYPE_TOKENS_MAX: usize = 14;

/// The first part of an event type, which decides its stream and who may define types in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Messages of chat channels.
    Message,
    /// Connections to channels.
    Instance,
    /// Persons and their handles.
    Identity,
    /// Media and its processing.
    Media,
    /// Decisions about access.
    Access,
    /// What users define.
    Custom,
    /// What the product says about itself.
    System,
}

impl Domain {
    /// All domains.
    pub const ALL: [Self; 7] = [
        Self::Message,
        Self::Instance,
        Self::Identity,
        Self::Media,
        Self::Access,
        Self::Custom,
        Self::System,
    ];

    /// The first token of the types in this domain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Instance => "instance",
            Self::Identity => "identity",
            Self::Media => "media",
            Self::Access => "access",
            Self::Custom => "custom",
            Self::System => "system",
        }
    }

    /// Whether types may be added at run time: only `custom` and `system`.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Custom | Self::System)
    }

    pub(crate) fn of(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.as_str() == token)
    }
}

/// What kind of thing happened: two or more lower-case parts joined by dots, the first a [`Domain`].
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct EventType(Arc<str>);

/// Why a text is not an event type.
#[derive(Debug, thiserror::Error)]
#[error("`{name}` is not an event type: {reason}")]
pub struct InvalidType {
    name: String,
    reason: &'static str,
}

impl InvalidType {
    fn new(name: &str, reason: &'static str) -> Self {
        Self { name: name.chars().take(TYPE_LEN_MAX).collect(), reason }
    }
}

impl EventType {
    /// Reads an event type.
    ///
    /// # Errors
    /// When it has fewer than two parts, another character than `a-z 0-9 - _`, or an unknown domain.
    pub fn parse(name: &str) -> Result<Self, InvalidType> {
        check_shape(name, is_token)?;
        if Domain::of(first_token(name)).is_none() {
            return Err(InvalidType::new(
                name,
                "it must begin with message, instance, identity, media, access, custom or system",
            ));
        }
        Ok(Self(name.into()))
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain it belongs to.
    pub fn domain(&self) -> Domain {
        // `parse` is the only way to make one, and it has looked the domain up.
        Domain::of(first_token(&self.0)).unwrap_or(Domain::System)
    }
}

fn first_token(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

pub(crate) fn is_token(token: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !token.is_empty() && token.bytes().all(good)
}

fn check_shape(name: &str, is_part: impl Fn(&str) -> bool) -> Result<(), InvalidType> {
    if name.len() > TYPE_LEN_MAX {
        return Err(InvalidType::new(name, "it is longer than 200 bytes"));
    }
    let tokens = name.split('.').count();
    if tokens > TYPE_TOKENS_MAX {
        return Err(InvalidType::new(name, "it has more than 14 parts"));
    }
    if !name.split('.').all(is_part) {
        return Err(InvalidType::new(
            name,
            "its parts are of a-z, 0-9, `-` and `_`, joined by dots",
        ));
    }
    if tokens < 2 {
        return Err(InvalidType::new(name, "it needs a domain and an action, as in custom.thing"));
    }
    Ok(())
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for EventType {
    type Error = InvalidType;

    fn try_from(name: String) -> Result<Self, InvalidType> {
        Self::parse(&name)
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        event_type.0.as_ref().to_owned()
    }
}

/// Selects event types: an exact type, or one with `*` (one part) and a last `>` (one or more parts).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct TypePattern(Arc<str>);

impl TypePattern {
    /// Reads a pattern such as `message.*`, `custom.webhook.>` or `custom.order.paid`.
    ///
    /// # Errors
    /// When a part is neither a token nor a wildcard, `>` is not last, or the domain is unknown.
    pub fn parse(pattern: &str) -> Result<Self, InvalidType> {
        if pattern == ">" {
            return Ok(Self(pattern.into()));
        }
        check_shape(pattern, |part| part == "*" || part == ">" || is_token(part))?;
        if pattern.split('.').rev().skip(1).any(|part| part == ">") {
            return Err(InvalidType::new(pattern, "`>` may only be the last part"));
        }
        let first = first_token(pattern);
        if first != "*" && Domain::of(first).is_none() {
            return Err(InvalidType::new(pattern, "its first part is no known domain"));
        }
        Ok(Self(pattern.into()))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names one type, without wildcards.
    pub fn is_exact(&self) -> bool {
        !self.0.split('.').any(|part| part == "*" || part == ">")
    }

    /// Whether the type is selected.
    pub fn matches(&self, event_type: &EventType) -> bool {
        crate::pattern::tokens_match(&self.0, event_type.as_str())
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TypePattern {
    type Error = InvalidType;

    fn try_from(pattern: String) -> Result<Self, InvalidType> {
        Self::parse(&pattern)
    }
}

impl From<TypePattern> for String {
    fn from(pattern: TypePattern) -> Self {
        pattern.0.as_ref().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_a_known_domain_and_an_action() {
        for good in ["message.received", "custom.webhook.github.push", "system.dead_letter"] {
            assert_eq!(EventType::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "message",
            "order.paid",
            "custom.",
            "custom.A",
            "custom.a b",
            "custom.*",
            "custom..x",
        ] {
            assert!(EventType::parse(bad).is_err(), "{bad} was taken");
        }
        assert!(EventType::parse(&format!("custom.{}", "a.".repeat(20))).is_err());
    }

    #[test]
    fn patterns_select_by_part() {
        let matches = |pattern: &str, name: &str| {
            TypePattern::parse(pattern).unwrap().matches(&EventType::parse(name).unwrap())
        };
        assert!(matches("message.*", "message.received"));
        assert!(!matches("custom.*", "custom.webhook.github"));
        assert!(matches("custom.webhook.>", "custom.webhook.github.push"));
        assert!(!matches("custom.webhook.>", "custom.webhook"));
        assert!(matches(">", "system.dead_letter"));
        assert!(TypePattern::parse("custom.>.x").is_err());
        assert!(TypePattern::parse("order.>").is_err());
        assert!(TypePattern::parse("custom.a").unwrap().is_exact());
    }
}
