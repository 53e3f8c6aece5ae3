//! The seven streams. It must stay true that a subject belongs to exactly one of them, by its first token.

use std::{fmt, time::Duration};

use omni_events::SubjectPattern;

use crate::Error;

const DAY: Duration = Duration::from_hours(24);

/// A sequence of messages, one for each domain of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
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

impl Stream {
    /// All streams, in the order of [`Stream::index`].
    pub const ALL: [Self; 7] = [
        Self::Message,
        Self::Instance,
        Self::Identity,
        Self::Media,
        Self::Access,
        Self::Custom,
        Self::System,
    ];

    /// The name, upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "MESSAGE",
            Self::Instance => "INSTANCE",
            Self::Identity => "IDENTITY",
            Self::Media => "MEDIA",
            Self::Access => "ACCESS",
            Self::Custom => "CUSTOM",
            Self::System => "SYSTEM",
        }
    }

    /// The first token of its subjects.
    pub fn token(self) -> &'static str {
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

    /// How long it keeps messages unless [`Limits`](crate::Limits) say otherwise; the store keeps events for longer.
    pub fn retention(self) -> Duration {
        match self {
            Self::Identity => DAY * 90,
            Self::Message | Self::Access => DAY * 30,
            Self::Instance | Self::Media | Self::Custom | Self::System => DAY * 7,
        }
    }

    /// The place in [`Stream::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The stream a subject belongs to.
    ///
    /// # Errors
    /// [`Error::UnknownDomain`] when its first token is none of the seven.
    pub fn of(subject: &str) -> Result<Self, Error> {
        let first = subject.split('.').next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|stream| stream.token() == first)
            .ok_or_else(|| Error::UnknownDomain { subject: subject.to_owned() })
    }

    /// The streams in which a filter can find anything.
    ///
    /// # Errors
    /// [`Error::UnknownDomain`] when its first token is neither a wildcard nor one of the seven.
    pub fn selected_by(filter: &SubjectPattern) -> Result<Vec<Self>, Error> {
        match filter.as_str().split('.').next() {
            Some("*" | ">") => Ok(Self::ALL.to_vec()),
            _ => Self::of(filter.as_str()).map(|stream| vec![stream]),
        }
    }

    /// The stream of a name such as `MESSAGE`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.as_str() == name)
    }

    pub(crate) fn tokens() -> String {
        Self::ALL.map(Self::token).join(", ")
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_one_stream() {
        for (index, stream) in Stream::ALL.into_iter().enumerate() {
            assert_eq!(stream.index(), index);
            assert_eq!(Stream::of(&format!("{}.x._._", stream.token())).unwrap(), stream);
        }
        assert!(matches!(Stream::of("customer.x"), Err(Error::UnknownDomain { .. })));
        assert!(matches!(Stream::of(""), Err(Error::UnknownDomain { .. })));
    }

    #[test]
    fn filters_select_streams() {
        let streams = |p: &str| Stream::selected_by(&SubjectPattern::parse(p).unwrap());
        assert_eq!(streams(">").unwrap().len(), 7);
        assert_eq!(streams("*.x").unwrap().len(), 7);
        assert_eq!(streams("media.>").unwrap(), [Stream::Media]);
        assert!(streams("nothing.>").is_err());
    }
}
