//! Field conditions with dollar names, in place of the list: `{"$gte": 5, "$lt": 10}`. It must stay true that they compile
//! to the same questions as the list does.

use serde_json::{Map, Value};

use super::{compile::Compiler, kind, member, operators, ranges};
use crate::{
    filter::{Leaf, Whole},
    predicate::{
        Predicate,
        number::{Bound, Range},
    },
    regular::Regular,
};

/// The operators.
pub(super) const NAMES: [&str; 14] = [
    "$eq",
    "$ne",
    "$gt",
    "$gte",
    "$lt",
    "$lte",
    "$in",
    "$nin",
    "$contains",
    "$startsWith",
    "$endsWith",
    "$matches",
    "$regex",
    "$exists",
];

/// Whether an object is such a condition, and not one of fields: all its names have a dollar, and one is an operator.
pub(crate) fn is_operators(object: &Map<String, Value>) -> bool {
    object.keys().all(|name| name.starts_with('$'))
        && object.keys().any(|name| NAMES.contains(&name.as_str()))
}

/// What one such object asks of one value.
#[derive(Default)]
struct Asked {
    /// Each of these lists has a question that holds.
    must: Vec<Vec<Predicate>>,
    /// None of these holds.
    not: Vec<Predicate>,
    range: Option<Range>,
    /// Whether the field is there, if that is asked.
    exists: Option<bool>,
}

/// Adds what an object of operators asks to the field.
pub(super) fn compile(compiler: &mut Compiler<'_>, object: &Map<String, Value>, leaf: &mut Leaf) {
    let mut asked = Asked::default();
    for (name, value) in object {
        if let Err(message) = ask(compiler, name, value, &mut asked) {
            compiler.problems.add::<()>(&member(&leaf.pointer, name), message);
        }
    }
    if let Some(range) = asked.range {
        if range.is_empty() {
            compiler.problems.add::<()>(&leaf.pointer, "no number is within these bounds");
        }
        asked.must.push(vec![Predicate::Range(range)]);
    }
    if asked.exists == Some(false) {
        if object.len() > 1 {
            let message = "`$exists`: false stands alone: nothing else can be asked of a field that is absent";
            compiler.problems.add::<()>(&member(&leaf.pointer, "$exists"), message);
        }
        leaf.whole.push(Whole::Absent);
        return;
    }
    if asked.must.is_empty() && asked.exists.is_none() {
        // As `neq` of conditions: also where the field is absent.
        leaf.whole.push(Whole::NoneOf(asked.not.into()));
        return;
    }
    if !asked.not.is_empty() {
        asked.must.push(vec![Predicate::AnythingBut(asked.not.into())]);
    }
    leaf.any = one_value(asked.must);
}

/// The questions of which one holds when of each list one holds, for the same value.
fn one_value(must: Vec<Vec<Predicate>>) -> Vec<Predicate> {
    let mut ways: Vec<Vec<Predicate>> = vec![Vec::new()];
    for list in must {
        ways = ways
            .iter()
            .flat_map(|way| {
                list.iter().map(move |predicate| {
                    let mut way = way.clone();
                    way.push(predicate.clone());
                    way
                })
            })
            .collect();
    }
    ways.into_iter()
        .map(|mut way| match (way.len(), way.pop()) {
            (_, None) => Predicate::Exists,
            (1, Some(only)) => only,
            (_, Some(last)) => {
                way.push(last);
                Predicate::Every(way.into())
            }
        })
        .collect()
}

fn ask(
    compiler: &mut Compiler<'_>,
    name: &str,
    value: &Value,
    asked: &mut Asked,
) -> Result<(), String> {
    match name {
        "$eq" => asked.must.push(vec![scalar(name, value)?]),
        "$ne" => asked.not.push(scalar(name, value)?),
        "$in" => asked.must.push(scalars(name, value)?),
        "$nin" => asked.not.extend(scalars(name, value)?),
        "$gt" | "$gte" | "$lt" | "$lte" => bound(name, value, asked)?,
        // A list has this element, or a text this part.
        "$contains" => asked.must.push(vec![match value {
            Value::String(part) => Predicate::Contains(part.as_str().into()),
            other => scalar(name, other)?,
        }]),
        "$startsWith" => {
            let start = operators::text(name, value)?;
            asked.must.push(vec![Predicate::Prefix(start.into())]);
        }
        "$endsWith" => {
            let end = operators::text(name, value)?;
            asked.must.push(vec![Predicate::Suffix(end.into())]);
        }
        "$matches" | "$regex" => {
            let regular = Regular::compile(operators::text(name, value)?, compiler.budget)?;
            asked.must.push(vec![Predicate::Matches(regular)]);
        }
        "$exists" => {
            let wanted = value.as_bool();
            asked.exists =
                Some(wanted.ok_or_else(|| {
                    format!("`$exists` takes true or false, not {}", kind(value))
                })?);
        }
        "$or" | "$and" => {
            return Err(format!(
                "`{name}` stands outside of the field: \"{name}\": [{{\"field\": {{…}}}}, {{\"field\": {{…}}}}]"
            ));
        }
        unknown => {
            return Err(format!("`{unknown}` is no operator: they are {}", NAMES.join(", ")));
        }
    }
    Ok(())
}

fn bound(name: &str, value: &Value, asked: &mut Asked) -> Result<(), String> {
    let number = ranges::number(value).ok_or_else(|| {
        format!(
            "`{name}` takes a number, not {}; texts are compared by a condition with the operator {}",
            kind(value),
            name.trim_start_matches('$')
        )
    })?;
    let bound = Some(Bound { number, inclusive: name.ends_with('e') });
    let range = asked.range.get_or_insert(Range { lower: None, upper: None });
    let side = if name.starts_with("$g") { &mut range.lower } else { &mut range.upper };
    if side.is_some() {
        let side = if name.starts_with("$g") { "lower" } else { "upper" };
        return Err(format!("there are two {side} bounds: leave one of them out"));
    }
    *side = bound;
    Ok(())
}

fn scalar(name: &str, value: &Value) -> Result<Predicate, String> {
    operators::literal(value).ok_or_else(|| {
        format!("`{name}` takes a text, a number, a boolean or null, not {}", kind(value))
    })
}

fn scalars(name: &str, value: &Value) -> Result<Vec<Predicate>, String> {
    let items = value
        .as_array()
        .filter(|items| !items.is_empty())
        .ok_or_else(|| format!("`{name}` takes a list with at least one value"))?;
    items.iter().map(|item| scalar(name, item)).collect()
}
