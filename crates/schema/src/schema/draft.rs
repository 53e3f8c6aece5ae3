//! The two dialects of JSON Schema that are read.

use serde_json::Value;

use super::Unusable;

/// The dialect that a schema is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Draft {
    /// Draft-07; only where `$schema` names it.
    Draft07,
    /// 2020-12; also where `$schema` is missing.
    #[default]
    Draft202012,
}

impl Draft {
    /// The dialect that `$schema` names.
    pub(super) fn of(schema: &Value) -> Result<Self, Unusable> {
        match schema.get("$schema") {
            None => Ok(Self::default()),
            Some(Value::String(uri)) => Self::from_uri(uri).ok_or_else(unknown),
            Some(_) => Err(unknown()),
        }
    }

    /// Reads the address of a meta-schema.
    pub(super) fn from_uri(uri: &str) -> Option<Self> {
        let (_, rest) = uri.strip_suffix('#').unwrap_or(uri).split_once("://json-schema.org/")?;
        match rest {
            "draft/2020-12/schema" | "schema" => Some(Self::Draft202012),
            "draft-07/schema" => Some(Self::Draft07),
            _ => None,
        }
    }

    pub(crate) fn engine(self) -> jsonschema::Draft {
        match self {
            Self::Draft07 => jsonschema::Draft::Draft7,
            Self::Draft202012 => jsonschema::Draft::Draft202012,
        }
    }
}

fn unknown() -> Unusable {
    Unusable {
        pointer: "/$schema".to_owned(),
        reason: "names a dialect that is not read here; write https://json-schema.org/draft/2020-12/schema or \
                 http://json-schema.org/draft-07/schema#, or leave it out for 2020-12"
            .to_owned(),
    }
}
