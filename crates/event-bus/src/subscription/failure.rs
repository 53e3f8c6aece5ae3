//! What a handler says when it could not handle an event.

use std::time::Duration;

/// Why a handler did not do its work, and what becomes of the event.
///
/// Any error becomes a retry by `?`, with the errors that caused it as the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is worth another try. After the last attempt of the policy the event is a dead letter.
    Retry {
        /// What went wrong.
        reason: String,
        /// How long to wait, instead of what the policy says.
        after: Option<Duration>,
    },
    /// It can never be done: the event is a dead letter now.
    Reject {
        /// What is wrong with it.
        reason: String,
    },
}

impl Failure {
    /// It is worth another try, after the delay of the policy.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: None }
    }

    /// It is worth another try, after this delay.
    pub fn retry_in(delay: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { reason: reason.into(), after: Some(delay) }
    }

    /// It can never be done.
    pub fn reject(reason: impl Into<String>) -> Self {
        Self::Reject { reason: reason.into() }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::retry(chain(&error))
    }
}

/// An error and what caused it, as one text.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn an_error_is_a_retry_that_tells_its_causes() {
        let source = serde_json::from_str::<u8>("x").unwrap_err();
        let text = source.to_string();
        let error = Error::backend("read")(source);
        assert_eq!(
            Failure::from(error),
            Failure::Retry { reason: format!("the bus could not read: {text}"), after: None }
        );
    }
}
