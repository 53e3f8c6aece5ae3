//! Why an exchange failed. Texts name the host and the rule, never the address found or what the
//! peer said: they may reach the person who wrote the URL.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy;

type Source = Box<dyn StdError + Send + Sync>;

/// A failed exchange. Sources are for the operator's log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL breaks a rule of this client.
    #[error("the URL cannot be used: {reason}")]
    InvalidUrl {
        /// The rule, as a sentence.
        reason: &'static str,
    },
    /// The method or a header is the client's own business.
    #[error("the request cannot be sent: {reason}")]
    InvalidRequest {
        /// The rule, as a sentence.
        reason: String,
    },
    /// The address guard closed the address.
    #[error(
        "{host} was not contacted: its address is closed ({rule}); \
         use a public address, or have the operator open the range for outgoing calls"
    )]
    Refused {
        /// Host as written in the URL.
        host: String,
        /// Kind of range, such as `private`.
        rule: &'static str,
    },
    /// The name has no address.
    #[error("the name {host} was not found; check its spelling")]
    Resolve {
        /// Host as written in the URL.
        host: String,
        /// What the resolver said.
        #[source]
        source: Source,
    },
    /// No connection came about.
    #[error("{host} did not accept the connection; check that it is up and the port is right")]
    Connect {
        /// Host as written in the URL.
        host: String,
        /// What the system said.
        #[source]
        source: Source,
    },
    /// TLS failed: certificate, name or protocol.
    #[error("no secure connection to {host}; check its certificate, and https against http")]
    Tls {
        /// Host as written in the URL.
        host: String,
        /// What the TLS library said.
        #[source]
        source: Source,
    },
    /// The connection or the whole exchange took too long.
    #[error("{host} did not answer within {} ms", after.as_millis())]
    Timeout {
        /// Host as written in the URL.
        host: String,
        /// The time that was given.
        after: Duration,
    },
    /// The reply broke off, broke HTTP, or had more headers than are accepted.
    #[error("{host} broke off or sent no valid HTTP reply")]
    Protocol {
        /// Host as written in the URL.
        host: String,
        /// What the HTTP library said.
        #[source]
        source: Source,
    },
}

impl Error {
    /// A stable word for metrics and stored results.
    pub fn class(&self) -> &'static str {
        match self {
            Self::InvalidUrl { .. } => "invalid_url",
            Self::InvalidRequest { .. } => "invalid_request",
            Self::Refused { .. } => "refused",
            Self::Resolve { .. } => "resolve",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Protocol { .. } => "protocol",
        }
    }

    /// Whether the same request may succeed later. After `timeout` and `protocol` the peer may
    /// have acted already, so a repeat needs an idempotency key.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::InvalidUrl { .. } | Self::InvalidRequest { .. } | Self::Refused { .. } => false,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::Protocol { .. } => true,
        }
    }

    /// Sorts an error of the HTTP client by the deepest cause that says something.
    pub(crate) fn from_client(host: String, error: legacy::Error, connect: Duration) -> Self {
        let connecting = error.is_connect();
        match find_cause(&error) {
            Some(Cause::Refused(rule)) => Self::Refused { host, rule },
            Some(Cause::Unresolved) => Self::Resolve { host, source: error.into() },
            Some(Cause::TimedOut) => Self::Timeout { host, after: connect },
            Some(Cause::Tls) => Self::Tls { host, source: error.into() },
            None if connecting => Self::Connect { host, source: error.into() },
            None => Self::Protocol { host, source: error.into() },
        }
    }
}

/// The guard's refusal on its way through the HTTP client.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the address is closed ({0})")]
pub(crate) struct Refusal(pub(crate) &'static str);

/// A failed look-up on its way through the HTTP client.
#[derive(Debug, thiserror::Error)]
#[error("the name was not found")]
pub(crate) struct Unresolved(#[source] pub(crate) io::Error);

enum Cause {
    Refused(&'static str),
    Unresolved,
    TimedOut,
    Tls,
}

/// Walks down the causes. An `io::Error` hides the error it wraps from `source()`, so that one is
/// opened by hand.
fn find_cause(error: &(dyn StdError + 'static)) -> Option<Cause> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(Refusal(rule)) = error.downcast_ref() {
            return Some(Cause::Refused(rule));
        }
        if error.is::<Unresolved>() {
            return Some(Cause::Unresolved);
        }
        if error.is::<rustls::Error>() {
            return Some(Cause::Tls);
        }
        let io = error.downcast_ref::<io::Error>();
        if io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut) {
            return Some(Cause::TimedOut);
        }
        next = match io.and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
