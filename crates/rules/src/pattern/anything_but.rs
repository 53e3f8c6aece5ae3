//! `anything-but`: a value that is none of these.

use serde_json::Value;

use super::{compile::Compiler, kind, member, operators};
use crate::predicate::{Predicate, fold::fold};

const TAKES: &str = "`anything-but` takes a text, a number, a list of texts, a list of numbers, or one of {\"prefix\": …}, {\"suffix\": …}, {\"equals-ignore-case\": …}, {\"wildcard\": …}";

/// Compiles what a value must not be; the pointer is that of `value`.
pub(super) fn compile(
    compiler: &mut Compiler<'_>,
    value: &Value,
    pointer: &str,
) -> Option<Predicate> {
    let list = match value {
        Value::String(_) | Value::Number(_) => vec![operators::literal(value)?],
        Value::Array(items) => list(compiler, items, pointer)?,
        Value::Object(object) if object.len() == 1 => {
            let (name, value) = object.iter().next()?;
            nested(compiler, name, value, &member(pointer, name))?
        }
        Value::Object(_) => {
            return compiler.problems.add(pointer, format!("{TAKES}, one at a time"));
        }
        other => {
            let message = format!("{TAKES}, not {}; `none-of` takes any value", kind(other));
            return compiler.problems.add(pointer, message);
        }
    };
    Some(Predicate::AnythingBut(list.into()))
}

fn list(compiler: &mut Compiler<'_>, items: &[Value], pointer: &str) -> Option<Vec<Predicate>> {
    if items.is_empty() {
        let message = "`anything-but` with an empty list asks nothing: name a value, or write {\"exists\": true}";
        return compiler.problems.add(pointer, message);
    }
    let is_plain = |item: &Value| item.is_string() || item.is_number();
    if let Some(index) = items.iter().position(|item| !is_plain(item)) {
        let pointer = format!("{pointer}/{index}");
        let hint = match &items[index] {
            Value::Object(_) => {
                "; such an object stands directly under `anything-but`: {\"anything-but\": {\"prefix\": …}}"
            }
            _ => "; `none-of` takes any value",
        };
        let message = format!(
            "the list of `anything-but` has texts or numbers, not {}{hint}",
            kind(&items[index])
        );
        return compiler.problems.add(&pointer, message);
    }
    if items.iter().any(Value::is_string) && items.iter().any(Value::is_number) {
        let message =
            "the list of `anything-but` has texts or numbers, not both; `none-of` takes any value";
        return compiler.problems.add(pointer, message);
    }
    Some(items.iter().filter_map(operators::literal).collect())
}

/// `prefix`, `suffix`, `equals-ignore-case` or `wildcard` of a text or of each of a list.
fn nested(
    compiler: &mut Compiler<'_>,
    name: &str,
    value: &Value,
    pointer: &str,
) -> Option<Vec<Predicate>> {
    if !matches!(name, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
        return compiler.problems.add(pointer, format!("{TAKES}, not `{name}`"));
    }
    let items = match value {
        Value::Array(items) if !items.is_empty() => items.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut predicates = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let compiled = match item {
            Value::String(text) => of_text(name, text),
            other => Err(format!(
                "`{name}` within `anything-but` takes a text or a list of texts, not {}",
                if value.as_array().is_some_and(Vec::is_empty) {
                    "an empty list"
                } else {
                    kind(other)
                }
            )),
        };
        match compiled {
            Ok(predicate) => predicates.push(predicate),
            Err(message) if value.is_array() && !items.is_empty() && item != value => {
                return compiler.problems.add(&format!("{pointer}/{index}"), message);
            }
            Err(message) => return compiler.problems.add(pointer, message),
        }
    }
    Some(predicates)
}

fn of_text(name: &str, text: &str) -> Result<Predicate, String> {
    match name {
        "prefix" | "suffix" if text.is_empty() => Err(format!(
            "`{name}` within `anything-but` takes a text that is not empty: every text has the empty one"
        )),
        "equals-ignore-case" => Ok(Predicate::EqualsFold(fold(text).into())),
        "wildcard" => operators::wildcard(text),
        affix => Ok(operators::affix_of(affix, text)),
    }
}
