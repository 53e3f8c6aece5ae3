//! The tenant that owns a row, an event or a definition.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name of an organisation, in bytes; it becomes part of keys and paths.
const ORG_LEN_MAX: usize = 64;

/// The name of an organisation: lower-case letters, digits, `-` and `_`.
///
/// Every table and every query takes it first, so that one tenant can never read another's rows.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Org(Arc<str>);

/// A name that cannot be an organisation's.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an organisation: use 1 to 64 of a-z, 0-9, `-` and `_`")]
pub struct InvalidOrg(String);

impl Org {
    /// Reads a name.
    ///
    /// # Errors
    /// When the name is empty, too long, or has other characters than `a-z 0-9 - _`.
    pub fn parse(name: &str) -> Result<Self, InvalidOrg> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if name.is_empty() || name.len() > ORG_LEN_MAX || !name.bytes().all(good) {
            return Err(InvalidOrg(name.chars().take(ORG_LEN_MAX).collect()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Org {
    /// The organisation of an installation that has only one: `default`.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Org {
    type Error = InvalidOrg;

    fn try_from(name: String) -> Result<Self, InvalidOrg> {
        Self::parse(&name)
    }
}

impl From<Org> for String {
    fn from(org: Org) -> Self {
        org.0.as_ref().to_owned()
    }
}
