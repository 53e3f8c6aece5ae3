//! A condition as its author writes it. These types are part of stored definitions and of the API:
//! fields and operators may be added, never renamed.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// One comparison of a field of the event with a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Dotted path (`payload.from.tags`, a number selects from an array) or RFC 9535 JSONPath (`$.payload.items[*].sku`).
    pub field: String,
    /// How to compare.
    pub operator: Operator,
    /// What to compare with; only `exists` does without (and then means true).
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// How a field is compared with the value of its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// Equal as JSON; numbers by their exact value, so 1 equals 1.0.
    Eq,
    /// Not equal; true also when the field is absent.
    Neq,
    /// Greater: two numbers, or two strings by code point.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// A string has this part, an array this element, an object this key.
    Contains,
    /// A string begins with this.
    StartsWith,
    /// A string ends with this.
    EndsWith,
    /// A string matches this regular expression somewhere.
    Matches,
    /// The field equals one of the elements of this array.
    In,
    /// The field is there, even if null (true), or is not (false).
    Exists,
}

impl Operator {
    /// The name in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Contains => "contains",
            Self::StartsWith => "startsWith",
            Self::EndsWith => "endsWith",
            Self::Matches => "matches",
            Self::In => "in",
            Self::Exists => "exists",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Keeps `"value": null` apart from no value.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
