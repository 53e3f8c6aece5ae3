//! Subjects: the address of an event on the bus, `{type}.{channelType}.{instanceId}`.
//!
//! A type has any number of parts, so a subject is read from the right: the last two parts are the channel and the
//! instance, `_` where the event has none.

use std::fmt;

use crate::{Event, EventType};

/// Longest channel type or instance id, in bytes.
const TOKEN_LEN_MAX: usize = 128;
/// Most of a text that an error repeats, in characters.
const SHOWN_MAX: usize = 128;
/// Stands for a channel or an instance that the event does not have.
const ABSENT: &str = "_";

/// A text that cannot be part of a subject, or is no subject or pattern.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` {reason}")]
pub struct InvalidSubject {
    text: String,
    reason: &'static str,
}

impl InvalidSubject {
    pub(crate) fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.chars().take(SHOWN_MAX).collect(), reason }
    }
}

/// Checks a channel type or instance id: it becomes one part of a subject.
///
/// # Errors
/// When it is empty, too long, is `_`, or has a dot, `*`, `>`, a blank or a control character.
pub fn check_token(token: &str) -> Result<(), InvalidSubject> {
    let bad = |c: char| c == '.' || c == '*' || c == '>' || c.is_whitespace() || c.is_control();
    let reason = if token.is_empty() || token == ABSENT {
        "is not a name: leave the field out instead"
    } else if token.len() > TOKEN_LEN_MAX {
        "is longer than 128 bytes"
    } else if token.contains(bad) {
        "may not contain a dot, `*`, `>`, blanks or control characters"
    } else {
        return Ok(());
    };
    Err(InvalidSubject::new(token, reason))
}

/// The subject an event is published under, as text.
pub fn subject(event: &Event) -> String {
    let channel = event.metadata.channel_type.as_deref().unwrap_or(ABSENT);
    let instance = event.metadata.instance_id.as_deref().unwrap_or(ABSENT);
    format!("{}.{channel}.{instance}", event.event_type)
}

/// A subject taken apart, to learn from a message what it is about without reading its event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    event_type: EventType,
    channel: Option<String>,
    instance: Option<String>,
}

impl Subject {
    /// Reads a subject such as `message.received.whatsapp.wa-001` or `custom.order.paid._._`.
    ///
    /// # Errors
    /// When what stands before the last two parts is no event type, or one of the two is neither a name nor `_`.
    pub fn parse(subject: &str) -> Result<Self, InvalidSubject> {
        let mut parts = subject.rsplitn(3, '.');
        let (Some(instance), Some(channel), Some(event_type)) =
            (parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidSubject::new(subject, "has no type, channel and instance"));
        };
        let event_type = EventType::parse(event_type)
            .map_err(|_| InvalidSubject::new(subject, "does not begin with an event type"))?;
        let name = |part: &str| match part {
            ABSENT => Ok(None),
            part => check_token(part).map(|()| Some(part.to_owned())),
        };
        Ok(Self { event_type, channel: name(channel)?, instance: name(instance)? })
    }

    /// The event type.
    pub fn event_type(&self) -> &EventType {
        &self.event_type
    }

    /// The channel type, if the event has one.
    pub fn channel(&self) -> Option<&str> {
        self.channel.as_deref()
    }

    /// The instance, if the event has one.
    pub fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let channel = self.channel().unwrap_or(ABSENT);
        let instance = self.instance().unwrap_or(ABSENT);
        write!(f, "{}.{channel}.{instance}", self.event_type)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_would_break_a_subject_are_refused() {
        for bad in ["", "_", "a.b", "a*", ">", "a b", "a\n"] {
            assert!(check_token(bad).is_err(), "{bad:?} was taken");
        }
        assert!(check_token("5511999@s-whatsapp-net").is_ok());
    }

    #[test]
    fn a_subject_is_read_from_the_right() {
        let subject = Subject::parse("custom.webhook.github.push.whatsapp._").unwrap();
        assert_eq!(subject.event_type().as_str(), "custom.webhook.github.push");
        assert_eq!((subject.channel(), subject.instance()), (Some("whatsapp"), None));
        for bad in [
            "",
            "custom",
            "custom.a.b",
            "custom.a..b",
            "custom.a.>.b",
            "order.paid._._",
            "Custom.a._._",
        ] {
            assert!(Subject::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn a_subject_survives_text(
            tail in prop::collection::vec("[a-z0-9_-]{1,9}", 1..14),
            channel in prop::option::of("[a-zA-Z0-9@é-]{1,9}"),
            instance in prop::option::of("[a-zA-Z0-9@é_-]{2,9}"),
        ) {
            let event_type = EventType::parse(&format!("custom.{}", tail.join("."))).unwrap();
            let subject = Subject { event_type, channel, instance };
            prop_assert_eq!(Subject::parse(&subject.to_string()).unwrap(), subject);
        }

        #[test]
        fn what_is_read_is_written_as_it_was(text in "[a-z_.*> ]{0,40}|(message|custom)(\\.[a-z_]{1,3}){2,15}") {
            if let Ok(subject) = Subject::parse(&text) {
                prop_assert_eq!(subject.to_string(), text);
            }
        }
    }
}
