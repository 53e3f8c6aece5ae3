//! Subjects: the address of an event on the bus, `{type}.{channelType}.{instanceId}`.
//!
//! A type has any number of parts, so a subject is read from the right: the last two parts are the channel and the
//! instance, `_` where the event has none.

use std::{fmt, sync::Arc};

use crate::Event;

/// Longest channel type or instance id, in bytes.
const TOKEN_LEN_MAX: usize = 128;

/// A text that cannot be part of a subject, or is no subject pattern.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` {reason}")]
pub struct InvalidSubject {
    text: String,
    reason: &'static str,
}

/// Checks a channel type or instance id: it becomes one part of a subject.
///
/// # Errors
/// When it is empty, too long, is `_`, or has a dot, `*`, `>`, a blank or a control character.
pub fn check_token(token: &str) -> Result<(), InvalidSubject> {
    let bad = |c: char| c == '.' || c == '*' || c == '>' || c.is_whitespace() || c.is_control();
    let reason = if token.is_empty() || token == "_" {
        "is not a name: leave the field out instead"
    } else if token.len() > TOKEN_LEN_MAX {
        "is longer than 128 bytes"
    } else if token.contains(bad) {
        "may not contain a dot, `*`, `>`, blanks or control characters"
    } else {
        return Ok(());
    };
    Err(InvalidSubject { text: token.chars().take(TOKEN_LEN_MAX).collect(), reason })
}

/// The subject an event is published under.
pub fn subject(event: &Event) -> String {
    let channel = event.metadata.channel_type.as_deref().unwrap_or("_");
    let instance = event.metadata.instance_id.as_deref().unwrap_or("_");
    format!("{}.{channel}.{instance}", event.event_type)
}

/// Selects subjects part by part: `*` stands for one part, a last `>` for one or more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubjectPattern(Arc<str>);

impl SubjectPattern {
    /// Reads a pattern such as `message.received.whatsapp.>` or `custom.>`.
    ///
    /// # Errors
    /// When a part is empty or has a blank, or `>` is not last.
    pub fn parse(pattern: &str) -> Result<Self, InvalidSubject> {
        let invalid = |reason| InvalidSubject { text: pattern.to_owned(), reason };
        if pattern.split('.').any(|p| p.is_empty() || p.contains(char::is_whitespace)) {
            return Err(invalid("has an empty part or a blank"));
        }
        if pattern.split('.').rev().skip(1).any(|part| part == ">") {
            return Err(invalid("has `>` before its last part"));
        }
        Ok(Self(pattern.into()))
    }

    /// Everything: `>`.
    pub fn all() -> Self {
        Self(">".into())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the subject is selected.
    pub fn matches(&self, subject: &str) -> bool {
        tokens_match(&self.0, subject)
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) fn tokens_match(pattern: &str, text: &str) -> bool {
    let mut parts = text.split('.');
    for wanted in pattern.split('.') {
        match (wanted, parts.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(part)) if wanted == part => {}
            _ => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_select_subjects() {
        let matches = |p: &str, s: &str| SubjectPattern::parse(p).unwrap().matches(s);
        assert!(matches("message.received.whatsapp.wa-001", "message.received.whatsapp.wa-001"));
        assert!(matches("message.*.whatsapp.>", "message.sent.whatsapp.wa-001"));
        assert!(!matches("message.*.whatsapp.>", "message.sent.discord.dc-1"));
        assert!(!matches("message.>", "message"));
        assert!(SubjectPattern::parse("a.>.b").is_err());
        assert!(SubjectPattern::parse("a..b").is_err());
    }

    #[test]
    fn names_that_would_break_a_subject_are_refused() {
        for bad in ["", "_", "a.b", "a*", ">", "a b", "a\n"] {
            assert!(check_token(bad).is_err(), "{bad:?} was taken");
        }
        assert!(check_token("5511999@s-whatsapp-net").is_ok());
    }

    proptest! {
        /// A subject always selects itself, and so does every prefix of it followed by `>`.
        #[test]
        fn a_subject_selects_itself(parts in prop::collection::vec("[a-z0-9_-]{1,6}", 2..8), cut in 1usize..7) {
            let subject = parts.join(".");
            prop_assert!(tokens_match(&subject, &subject));
            let cut = cut.min(parts.len() - 1);
            let prefix = format!("{}.>", parts[..cut].join("."));
            prop_assert!(tokens_match(&prefix, &subject));
        }
    }
}
