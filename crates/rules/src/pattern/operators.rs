//! The operators that ask about one value.

use serde_json::Value;

use super::{anything_but, compile::Compiler, kind, ranges};
use crate::{
    limits::WILDCARD_STARS_MAX,
    predicate::{
        Literal, Predicate,
        address::{self, Network},
        fold::fold,
        glob::Glob,
        number::Number,
    },
    regular::Regular,
};

/// The operators of EventBridge.
const EVENT_BRIDGE: [&str; 9] = [
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "anything-but",
    "numeric",
    "exists",
    "cidr",
];

/// The operators that only Omni has.
const NEW: [&str; 3] = ["matches", "all", "none-of"];

/// Whether an object with this name is an operator for EventBridge, and therefore no alternative of an `$or`.
pub(super) fn is_event_bridge(name: &str) -> bool {
    EVENT_BRIDGE.contains(&name)
}

/// Whether it is an operator that only Omni has.
pub(super) fn is_new(name: &str) -> bool {
    NEW.contains(&name)
}

/// A value that is named itself; `None` for lists and objects.
pub(super) fn literal(value: &Value) -> Option<Predicate> {
    let literal = match value {
        Value::Null => Literal::Null,
        Value::Bool(value) => Literal::Bool(*value),
        Value::Number(number) => Literal::Number(Number::parse(number.to_string().as_bytes())?),
        Value::String(text) => return Some(exactly(text)),
        Value::Array(_) | Value::Object(_) => return None,
    };
    Some(Predicate::Equals(literal))
}

/// A text that is named itself, and compared as an address when it is one.
pub(super) fn exactly(text: &str) -> Predicate {
    match address::parse(text.as_bytes()) {
        // Those of IPv4 have one form only.
        Some(address) if address.is_ipv6() => {
            Predicate::Address(Network::new(address, address::width(address)))
        }
        _ => Predicate::Equals(Literal::Text(text.into())),
    }
}

/// Compiles an operator; the pointer is that of its value.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    name: &str,
    value: &Value,
    pointer: &str,
) -> Option<Predicate> {
    let compiled = match name {
        "exactly" => {
            literal(value).ok_or_else(|| format!("`exactly` takes a text, not {}", kind(value)))
        }
        "prefix" | "suffix" => affix(name, value),
        "equals-ignore-case" => {
            text(name, value).map(|text| Predicate::EqualsFold(fold(text).into()))
        }
        "wildcard" => text(name, value).and_then(wildcard),
        "anything-but" => return anything_but::compile(compiler, value, pointer),
        "numeric" => return ranges::numeric(compiler, value, pointer),
        "cidr" => text(name, value).and_then(ranges::network),
        "matches" => text(name, value)
            .and_then(|text| Regular::compile(text, compiler.budget))
            .map(Predicate::Matches),
        "exists" if *value == true => Ok(Predicate::Exists),
        "exists" => Err(format!("`exists` takes true or false, not {}", kind(value))),
        unknown => Err(unknown_operator(unknown)),
    };
    compiled.map_or_else(|message| compiler.problems.add(pointer, message), Some)
}

/// `prefix` or `suffix` of a text, with or without regard to case.
fn affix(name: &str, value: &Value) -> Result<Predicate, String> {
    let is_prefix = name == "prefix";
    let nested = value.as_object().filter(|object| object.len() == 1);
    if let Some(folded) = nested.and_then(|object| object.get("equals-ignore-case")) {
        let folded = fold(text("equals-ignore-case", folded)?).into();
        return Ok(if is_prefix {
            Predicate::PrefixFold(folded)
        } else {
            Predicate::SuffixFold(folded)
        });
    }
    let Value::String(text) = value else {
        return Err(format!(
            "`{name}` takes a text, or {{\"equals-ignore-case\": text}}, not {}",
            kind(value)
        ));
    };
    Ok(affix_of(name, text))
}

/// `prefix` or `suffix` of a text.
pub(super) fn affix_of(name: &str, text: &str) -> Predicate {
    if name == "prefix" { Predicate::Prefix(text.into()) } else { Predicate::Suffix(text.into()) }
}

/// A text with stars, as the simplest question that asks the same.
pub(super) fn wildcard(text: &str) -> Result<Predicate, String> {
    let glob = Glob::parse(text)?;
    let stars = glob.parts.len() - 1;
    if stars > WILDCARD_STARS_MAX {
        return Err(format!(
            "the wildcard has {stars} stars, but {WILDCARD_STARS_MAX} are the limit: use `matches` with a regular expression"
        ));
    }
    Ok(match &*glob.parts {
        [only] => Predicate::Equals(Literal::Text(only.clone())),
        [start, end] if end.is_empty() => Predicate::Prefix(start.clone()),
        [start, end] if start.is_empty() => Predicate::Suffix(end.clone()),
        [start, inner, end] if start.is_empty() && end.is_empty() => {
            Predicate::Contains(inner.clone())
        }
        _ => Predicate::Wildcard(glob),
    })
}

/// The text that an operator takes.
pub(super) fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| format!("`{name}` takes a text, not {}", kind(value)))
}

fn unknown_operator(name: &str) -> String {
    match name {
        "contains" => {
            "`contains` is no operator of patterns: write {\"wildcard\": \"*x*\"}, or {\"$contains\": \"x\"} in place of the list".to_owned()
        }
        "regex" => "`regex` is no operator of patterns: write {\"matches\": …}".to_owned(),
        "not" => "`not` is no operator: write {\"anything-but\": …} or {\"none-of\": […]}".to_owned(),
        "$or" | "$and" => format!("`{name}` stands outside of lists, beside the fields: \"{name}\": [{{…}}, {{…}}]"),
        _ => format!(
            "`{name}` is no operator (they are {}, {}); the fields of an object are written without a list around it",
            EVENT_BRIDGE.join(", "),
            NEW.join(", ")
        ),
    }
}
