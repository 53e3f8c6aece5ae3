//! How a NATS server is found and entered.

use std::{fmt, path::PathBuf, sync::Arc};

use omni_clock::{Clock, Random, SystemClock};

use crate::Limits;

/// How a bus on NATS is opened.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// One server, or several of one cluster separated by commas: `nats://host:4222`, `tls://host:4222`.
    pub url: String,
    /// Who we are, unless the URL says it.
    pub credentials: Credentials,
    /// Whether and how the connection is encrypted.
    pub tls: Tls,
    /// Stands before the names of streams and subjects, so that several installations share one server.
    pub prefix: Option<String>,
    /// How many servers keep a copy of each stream.
    pub replicas: usize,
    /// How much the streams keep.
    pub limits: Limits,
    /// Measures ack waits and retry delays on our side.
    pub clock: Arc<dyn Clock>,
    /// Spreads retry delays.
    pub random: Arc<Random>,
}

impl NatsOptions {
    /// The usual settings: no credentials, one copy, the clock of the machine.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::None,
            tls: Tls::default(),
            prefix: None,
            replicas: 1,
            limits: Limits::default(),
            clock: Arc::new(SystemClock::new()),
            random: Arc::new(Random::from_entropy()),
        }
    }
}

/// Who we are for the server. Not shown when printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Credentials {
    /// Nobody, or what the URL says.
    #[default]
    None,
    /// A name and a password.
    Password {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token.
    Token(String),
    /// The seed of an NKey, beginning with `SU`.
    NKey(String),
    /// A credentials file with a JWT and a seed, as `nsc` writes it.
    File(PathBuf),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Password { .. } => "Password(…)",
            Self::Token(_) => "Token(…)",
            Self::NKey(_) => "NKey(…)",
            Self::File(_) => "File(…)",
        })
    }
}

/// How the connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Refuse to speak without encryption. A `tls://` URL says the same.
    pub required: bool,
    /// Certificates of those we trust, as PEM, instead of those that the machine trusts.
    pub ca_file: Option<PathBuf>,
    /// Our certificate and its key, as PEM, when the server asks for one.
    pub client: Option<(PathBuf, PathBuf)>,
}
