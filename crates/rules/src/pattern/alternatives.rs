//! The list of what a value may be.

use serde_json::{Map, Value};

use super::{compile::Compiler, dollar, kind, member, operators};
use crate::{
    filter::{Leaf, Whole},
    predicate::Predicate,
};

/// Adds the alternatives of a list to the field.
pub(super) fn compile(compiler: &mut Compiler<'_>, items: &[Value], leaf: &mut Leaf) {
    if items.is_empty() {
        compiler.problems.add::<()>(
            &leaf.pointer,
            "an empty list holds for nothing: name a value, or write [{\"exists\": false}] for an absent field",
        );
    }
    for (index, item) in items.iter().enumerate() {
        let pointer = format!("{}/{index}", leaf.pointer);
        match item {
            Value::Object(object) => operator(compiler, object, &pointer, leaf),
            item => leaf.any.extend(one(compiler, item, &pointer)),
        }
    }
}

/// An operator that may ask about all values of the field.
fn operator(
    compiler: &mut Compiler<'_>,
    object: &Map<String, Value>,
    pointer: &str,
    leaf: &mut Leaf,
) {
    let Some((name, value)) = only(compiler, object, pointer) else { return };
    match (name.as_str(), value) {
        ("exists", Value::Bool(false)) => leaf.whole.push(Whole::Absent),
        ("all", value) => {
            leaf.whole.extend(several(compiler, name, value, pointer).map(Whole::AllOf));
        }
        ("none-of", value) => {
            leaf.whole.extend(several(compiler, name, value, pointer).map(Whole::NoneOf));
        }
        _ => leaf.any.extend(operators::compile(compiler, name, value, &member(pointer, name))),
    }
}

/// The questions in the list of `all` or `none-of`.
fn several(
    compiler: &mut Compiler<'_>,
    name: &str,
    value: &Value,
    pointer: &str,
) -> Option<Box<[Predicate]>> {
    let pointer = member(pointer, name);
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        let message = format!(
            "`{name}` takes a list with at least one value or operator, such as {{\"{name}\": [\"a\", {{\"prefix\": \"b\"}}]}}"
        );
        return compiler.problems.add(&pointer, message);
    };
    let mut predicates = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        predicates.extend(one(compiler, item, &format!("{pointer}/{index}")));
    }
    Some(predicates.into())
}

/// A question to one value: the value itself, or an operator.
fn one(compiler: &mut Compiler<'_>, item: &Value, pointer: &str) -> Option<Predicate> {
    if let Some(literal) = operators::literal(item) {
        return Some(literal);
    }
    let Value::Object(object) = item else {
        let message = format!(
            "{} cannot be an alternative: write the values side by side in one list",
            kind(item)
        );
        return compiler.problems.add(pointer, message);
    };
    let (name, value) = only(compiler, object, pointer)?;
    let pointer = member(pointer, name);
    if matches!(name.as_str(), "all" | "none-of") || (name == "exists" && value == false) {
        let message = format!(
            "`{name}` asks about all values of a field and cannot stand inside another operator: write it in the list of the field"
        );
        return compiler.problems.add(&pointer, message);
    }
    operators::compile(compiler, name, value, &pointer)
}

/// The name and value of an operator, which stand alone in their object.
fn only<'v>(
    compiler: &mut Compiler<'_>,
    object: &'v Map<String, Value>,
    pointer: &str,
) -> Option<(&'v String, &'v Value)> {
    let mut fields = object.iter();
    let message = match (fields.next(), fields.len()) {
        (Some((name, _)), _) if dollar::is_operators(object) => format!(
            "`{name}` stands in place of the list: write {{\"{name}\": …}} without [ ] around it"
        ),
        (Some(field), 0) => return Some(field),
        (None, _) => {
            "an empty object is no operator: write one, such as {\"prefix\": \"a\"}".to_owned()
        }
        _ => "an operator stands alone in its object: write {…}, {…} where either may hold, and `$and` where both must"
            .to_owned(),
    };
    compiler.problems.add(pointer, message)
}
