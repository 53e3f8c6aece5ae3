//! Why a request is not taken for genuine; for the owner of the source only, never for the sender.

use std::fmt;

use http::HeaderName;

/// Where a value stands in a request, as its owner reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    Header(HeaderName),
    Field(String),
    Query(String),
    Pair(String),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "the header {name}"),
            Self::Field(path) => write!(f, "the field {path} of the body"),
            Self::Query(name) => write!(f, "the query parameter {name}"),
            Self::Pair(name) => write!(f, "the pair {name}= beside the signature"),
        }
    }
}

/// Why a request is not taken for genuine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{0} is missing")]
    Missing(Spot),
    #[error("{0} is there more than once")]
    Repeated(Spot),
    #[error("{0} does not have the form that the source expects")]
    Malformed(Spot),
    #[error("{0} holds no time in the form that the source expects")]
    MalformedTime(Spot),
    #[error(
        "the request was signed {age_seconds} seconds ago and at most {tolerance_seconds} are allowed"
    )]
    Stale { age_seconds: i64, tolerance_seconds: u32 },
    #[error(
        "the request was signed {ahead_seconds} seconds in the future and at most {tolerance_seconds} are allowed; \
         one of the two clocks is wrong"
    )]
    Future { ahead_seconds: i64, tolerance_seconds: u32 },
    #[error("the source has no secret that counts at this time")]
    NoSecret,
    #[error("the stored secret cannot be used as a key: {0}")]
    BadSecret(String),
    #[error("{0} holds more than {max} signatures", max = super::list::MAX)]
    TooMany(Spot),
    /// The signature is well-formed, but not for this request under one of the secrets.
    #[error("{0} does not fit this request and secret")]
    Mismatch(Spot),
    /// The place where the secret itself belongs holds something else.
    #[error("{0} does not hold the secret")]
    WrongSecret(Spot),
    /// The URL is signed and names a hash of the body, and the body has another one.
    #[error("the body does not have the hash that the signed URL names")]
    BodyHash,
    /// The certificate with the key is not to be had or not to be believed.
    #[error("the certificate cannot be used: {0}")]
    Certificate(String),
}

impl Fault {
    /// A stable word for it, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing(Spot::Header(_)) => "header-missing",
            Self::Missing(Spot::Field(_)) => "field-missing",
            Self::Missing(Spot::Query(_)) => "query-missing",
            Self::Missing(Spot::Pair(_)) => "pair-missing",
            Self::Repeated(Spot::Header(_)) => "header-repeated",
            Self::Repeated(_) => "value-repeated",
            Self::Malformed(_) => "signature-malformed",
            Self::MalformedTime(_) => "timestamp-malformed",
            Self::Stale { .. } => "timestamp-too-old",
            Self::Future { .. } => "timestamp-in-future",
            Self::NoSecret => "no-active-secret",
            Self::BadSecret(_) => "secret-unusable",
            Self::TooMany(_) => "too-many-signatures",
            Self::Mismatch(_) => "signature-mismatch",
            Self::WrongSecret(_) => "secret-mismatch",
            Self::BodyHash => "body-hash-mismatch",
            Self::Certificate(_) => "certificate-refused",
        }
    }
}
