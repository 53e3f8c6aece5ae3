//! How a request proves that it is genuine, as users and the templates of providers write it.
//!
//! One description covers nearly every provider: where the signature is, what was signed, with which algorithm and key.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a request proves that it is genuine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Verifier {
    /// Not at all: anybody who knows the address may send.
    None,
    /// A signature over parts of the request.
    Signature(Box<Signature>),
    /// HMAC-SHA256 of the body in a header: the most usual signature in short.
    HmacSha256(HmacSha256),
    /// The secret itself in a header.
    ApiKey(ApiKey),
    /// The secret itself in the body or the query.
    Token(Token),
    /// HTTP Basic (RFC 7617): the secret is the password.
    Basic(Basic),
}

impl Verifier {
    /// Whether it proves nothing without the secret of the source.
    pub fn needs_secret(&self) -> bool {
        match self {
            Self::None => false,
            Self::Signature(signature) => !matches!(signature.key, Key::Certificate(_)),
            Self::HmacSha256(_) | Self::ApiKey(_) | Self::Token(_) | Self::Basic(_) => true,
        }
    }

    /// Whether it proves nothing without the second secret of the source.
    pub fn needs_second_secret(&self) -> bool {
        let second = |part: &Part| matches!(part, Part::SecondSecret | Part::SnsFields);
        matches!(self, Self::Signature(signature) if signature.signed.iter().any(second))
    }
}

/// A signature over parts of the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signature {
    /// How it was made.
    pub algorithm: Algorithm,
    /// Where it stands.
    pub from: Place,
    /// What stands before it, such as `sha256=`. In a list, whatever has another prefix is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What parts several signatures, or the members of `pairs`. Of one request at most ten signatures are looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// The value is a list of `name=value`, parted by `separator` (`,` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<Pairs>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// How the secret is written, or where the key comes from.
    #[serde(default)]
    pub key: Key,
    /// What was signed, in order; the body alone unless set.
    #[serde(default = "body_alone")]
    pub signed: Vec<Part>,
    /// The time that was signed, and how far it may be from now. It must be a part of what is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

fn body_alone() -> Vec<Part> {
    vec![Part::Body]
}

/// How a signature was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Algorithm {
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-512.
    HmacSha512,
    /// Ed25519 (RFC 8032); the secret is the public key.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, ASN.1; the secret is the public key.
    EcdsaP256Sha256,
    /// RSA PKCS#1 1.5 with SHA-1, for what some providers still send.
    RsaSha1,
    /// RSA PKCS#1 1.5 with SHA-256.
    RsaSha256,
}

/// Where a value stands in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// In a header.
    Header(String),
    /// In the body (JSON or a form), as a dotted path.
    Field(String),
    /// In the query of the URL.
    Query(String),
    /// In the pair of this name beside the signature; only for what `pairs` reads.
    Pair(String),
}

/// The names of the pairs that count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pairs {
    /// The pair with a signature, such as `v1`; it may be there several times.
    pub signature: String,
}

/// How the secret is written, or where the key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Key {
    /// The bytes of the secret text are the key.
    #[default]
    Text,
    /// The secret is hexadecimal.
    Hex,
    /// The secret is Base64; a public key then is DER or its raw bytes.
    Base64,
    /// The secret is Base64 after this prefix, such as `whsec_`; without the prefix it is Base64 too.
    PrefixedBase64(String),
    /// The secret is a public key in PEM.
    Pem,
    /// The key is in a certificate that the request names; there is no secret.
    Certificate(Certificate),
}

/// Where a certificate may be fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Certificate {
    /// Where its URL stands.
    pub url: Place,
    /// Patterns of host names that are believed: `*` stands for a part of one label, as in `sns.eu-*.amazonaws.com`. It
    /// never crosses a dot and may not stand in the last two labels. Only `https`.
    pub hosts: Vec<String>,
}

/// A part of what was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The raw body.
    Body,
    /// This text.
    Text(String),
    /// The timestamp as it was sent.
    Timestamp,
    /// A header's value.
    Header(String),
    /// A field of the body as it was sent.
    Field(String),
    /// The method.
    Method,
    /// The whole URL that the sender called.
    Url,
    /// The second secret of the source, such as PayPal's webhook id.
    SecondSecret,
    /// The CRC-32 of the body, decimal.
    BodyCrc32,
    /// The fields of a form sorted by name, each as name and value. For other bodies nothing, and then the URL, which
    /// must be signed too, has to hold the hexadecimal SHA-256 of the body as `bodySHA256`.
    FormFields,
    /// The lines that Amazon SNS signs, which depend on the type of the message. Its field `SignatureVersion` says which
    /// RSA it is: with `rsaSha1` both versions are taken, with `rsaSha256` only version 2. The second secret is the ARN
    /// of the topic: Amazon signs the messages of everybody's topics alike.
    SnsFields,
}

/// The time that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Timestamp {
    /// Where it stands.
    pub from: Place,
    /// How it is written.
    #[serde(default)]
    pub unit: TimeUnit,
    /// How far it may lie from now in both directions, in seconds; 300 unless set, 1 to 86,400.
    #[serde(default = "tolerance")]
    pub tolerance_seconds: u32,
}

fn tolerance() -> u32 {
    300
}

/// How a time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TimeUnit {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// A date and time of RFC 3339.
    Rfc3339,
}

/// An HMAC-SHA256 of the raw body, keyed with the bytes of the secret text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HmacSha256 {
    /// The header with the tag.
    pub header: String,
    /// What stands before the tag, such as `sha256=`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// How the tag is written.
    pub encoding: Encoding,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Encoding {
    /// Hexadecimal digits, large or small.
    Hex,
    /// Base64 of RFC 4648 section 4, with or without padding.
    Base64,
}

/// The secret as the value of a header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApiKey {
    /// The header.
    pub header: String,
    /// What stands before the secret, such as `Bearer ` with its blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// The secret as a value in the body or the query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// Where it stands.
    pub from: Place,
}

/// The secret as a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Basic {
    /// The name of the user.
    pub user: String,
}
