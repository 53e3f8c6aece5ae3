//! The meaning of patterns in plain words, for tests to compare with: slow, short, and written from the description of
//! the language alone. Every way to choose one value for each field is tried.

use std::{cell::RefCell, collections::HashMap, net::IpAddr};

use regex_automata::nfa::thompson::pikevm::PikeVM;
use serde_json::{Map, Value};

/// The names and places that lead to a value.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Item(usize),
}
type Place = Vec<Step>;
type Found<'a> = (Place, &'a Value);

/// Whether the pattern holds for the event.
pub(crate) fn holds(pattern: &Value, event: &Value) -> bool {
    expand(pattern, &[]).iter().any(|groups| groups.iter().all(|group| together(group, event)))
}

/// Fields of one pattern: the names that lead to each, and what is asked of it.
type Group<'a> = Vec<(Vec<String>, &'a Value)>;

/// The ways to satisfy a pattern; each is a list of groups that are matched by themselves, its own first.
fn expand<'a>(pattern: &'a Value, names: &[String]) -> Vec<Vec<Group<'a>>> {
    let mut ways = vec![vec![Group::new()]];
    for (key, inner) in pattern.as_object().unwrap() {
        let below: Vec<String> = names.iter().chain([key]).cloned().collect();
        let mut next = Vec::new();
        if key == "$or" && is_list_of_patterns(inner, 2) {
            let parts = inner.as_array().unwrap();
            next.extend(parts.iter().flat_map(|part| expand(part, names)));
        } else if key == "$and" && is_list_of_patterns(inner, 1) {
            next.push(vec![Group::new()]);
            for part in inner.as_array().unwrap() {
                // The group of a member stays its own.
                let part: Vec<_> = expand(part, names)
                    .into_iter()
                    .map(|way| [vec![Group::new()], way].concat())
                    .collect();
                next = both(&next, &part);
            }
        } else if inner.is_array() || is_dollar_object(inner) {
            next.push(vec![vec![(below, inner)]]);
        } else {
            next = expand(inner, &below);
        }
        ways = both(&ways, &next);
    }
    ways
}

/// Every way of the one with every way of the other: their first groups become one.
fn both<'a>(left: &[Vec<Group<'a>>], right: &[Vec<Group<'a>>]) -> Vec<Vec<Group<'a>>> {
    let join = |a: &Vec<Group<'a>>, b: &Vec<Group<'a>>| {
        let own = [a[0].clone(), b[0].clone()].concat();
        [vec![own], a[1..].to_vec(), b[1..].to_vec()].concat()
    };
    left.iter().flat_map(|a| right.iter().map(move |b| join(a, b))).collect()
}

const OPERATORS: [&str; 9] = [
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

fn is_list_of_patterns(value: &Value, least: usize) -> bool {
    let is_pattern = |part: &Value| {
        let fields = part.as_object();
        fields.is_some_and(|fields| {
            !fields.is_empty() && !fields.keys().any(|key| OPERATORS.contains(&key.as_str()))
        })
    };
    value.as_array().is_some_and(|parts| parts.len() >= least && parts.iter().all(is_pattern))
}

fn is_dollar_object(value: &Value) -> bool {
    let dollar = |key: &String| key.starts_with('$') && key != "$or" && key != "$and";
    value.as_object().is_some_and(|fields| fields.keys().all(dollar))
}

/// Whether the fields hold for values of which those in one array lie in one element.
fn together(group: &Group<'_>, event: &Value) -> bool {
    let mut choices: Vec<Vec<Place>> = Vec::new();
    for (names, asked) in group {
        let mut values = Vec::new();
        collect(event, names, &mut Place::new(), &mut values);
        if !whole_holds(asked, &values) {
            let satisfying = values.iter().filter(|(_, value)| any_holds(asked, value));
            choices.push(satisfying.map(|(place, _)| place.clone()).collect());
        }
    }
    choose(&choices, &mut Vec::new())
}

fn choose(choices: &[Vec<Place>], chosen: &mut Vec<Place>) -> bool {
    let Some((first, rest)) = choices.split_first() else { return true };
    first.iter().any(|place| {
        let fits = chosen.iter().all(|other| agree(place, other));
        chosen.push(place.clone());
        let held = fits && choose(rest, chosen);
        chosen.pop();
        held
    })
}

/// Two values lie in different elements of one array when their places part at an element.
fn agree(a: &Place, b: &Place) -> bool {
    let parting = a.iter().zip(b).find(|(a, b)| a != b);
    !matches!(parting, Some((Step::Item(_), Step::Item(_))))
}

fn collect<'a>(value: &'a Value, names: &[String], place: &mut Place, found: &mut Vec<Found<'a>>) {
    match (value, names) {
        (Value::Array(items), _) => {
            for (index, item) in items.iter().enumerate() {
                place.push(Step::Item(index));
                collect(item, names, place, found);
                place.pop();
            }
        }
        (Value::Object(fields), [name, rest @ ..]) => {
            if let Some(field) = fields.get(name) {
                place.push(Step::Name(name.clone()));
                collect(field, rest, place, found);
                place.pop();
            }
        }
        (Value::Object(_), []) | (_, [_, ..]) => {}
        (scalar, []) => found.push((place.clone(), scalar)),
    }
}

/// The only member of an object.
fn operator(asked: &Value) -> Option<(&str, &Value)> {
    asked
        .as_object()
        .filter(|fields| fields.len() == 1)?
        .iter()
        .next()
        .map(|(key, value)| (key.as_str(), value))
}

/// Whether a field holds by what asks all of its values.
fn whole_holds(asked: &Value, values: &[Found<'_>]) -> bool {
    if let Some(fields) = asked.as_object() {
        // A negation alone asks all values; beside others it asks the one value that they ask.
        return match operator(asked) {
            Some(("$ne", operand)) => values.iter().all(|(_, value)| !equals(operand, value)),
            Some(("$nin", operand)) => {
                values.iter().all(|(_, value)| !list(operand).iter().any(|one| equals(one, value)))
            }
            Some(("$exists", Value::Bool(false))) => values.is_empty(),
            _ => denies(fields) && values.iter().all(|(_, value)| dollar(fields, value)),
        };
    }
    list(asked).iter().any(|alternative| match operator(alternative) {
        Some(("exists", Value::Bool(false))) => values.is_empty(),
        Some(("none-of", parts)) => {
            values.iter().all(|(_, value)| !list(parts).iter().any(|part| one(part, value)))
        }
        Some(("all", parts)) => {
            list(parts).iter().all(|part| values.iter().any(|(_, value)| one(part, value)))
        }
        _ => false,
    })
}

/// Whether nothing but negations are asked.
fn denies(fields: &Map<String, Value>) -> bool {
    fields.keys().all(|key| key == "$ne" || key == "$nin")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

/// Whether a field holds for one value.
fn any_holds(asked: &Value, value: &Value) -> bool {
    match asked.as_object() {
        Some(fields) => !denies(fields) && dollar(fields, value),
        None => list(asked).iter().any(|alternative| one(alternative, value)),
    }
}

/// All of the questions with a dollar hold for one value.
fn dollar(fields: &Map<String, Value>, value: &Value) -> bool {
    let text = value.as_str();
    let order = |operand: &Value| number(value)?.partial_cmp(&number(operand)?);
    fields.iter().all(|(key, operand)| match key.as_str() {
        "$eq" => equals(operand, value),
        "$ne" => !equals(operand, value),
        "$in" => list(operand).iter().any(|one| equals(one, value)),
        "$nin" => !list(operand).iter().any(|one| equals(one, value)),
        "$gt" => order(operand).is_some_and(std::cmp::Ordering::is_gt),
        "$gte" => order(operand).is_some_and(std::cmp::Ordering::is_ge),
        "$lt" => order(operand).is_some_and(std::cmp::Ordering::is_lt),
        "$lte" => order(operand).is_some_and(std::cmp::Ordering::is_le),
        "$contains" => match operand.as_str() {
            Some(part) => text.is_some_and(|text| text.contains(part)),
            None => equals(operand, value),
        },
        "$startsWith" => text.is_some_and(|text| text.starts_with(operand.as_str().unwrap())),
        "$endsWith" => text.is_some_and(|text| text.ends_with(operand.as_str().unwrap())),
        "$matches" | "$regex" => text.is_some_and(|text| regex(operand.as_str().unwrap(), text)),
        "$exists" => operand == &Value::Bool(true),
        _ => panic!("{key}"),
    })
}

/// Whether one alternative holds for one value.
fn one(alternative: &Value, value: &Value) -> bool {
    let Some((operator, operand)) = operator(alternative) else {
        return equals(alternative, value);
    };
    let Some(text) = value.as_str() else {
        return match operator {
            "exactly" => equals(operand, value),
            "anything-but" => !denied(operand, value),
            "numeric" => numeric(operand, value),
            "exists" => operand == &Value::Bool(true),
            _ => false,
        };
    };
    let folded = operand.get("equals-ignore-case").and_then(Value::as_str).map(str::to_lowercase);
    match (operator, folded) {
        ("prefix", Some(start)) => text.to_lowercase().starts_with(&start),
        ("suffix", Some(end)) => text.to_lowercase().ends_with(&end),
        ("prefix", None) => text.starts_with(operand.as_str().unwrap()),
        ("suffix", None) => text.ends_with(operand.as_str().unwrap()),
        ("equals-ignore-case", _) => {
            text.to_lowercase() == operand.as_str().unwrap().to_lowercase()
        }
        ("wildcard", _) => glob(
            &operand.as_str().unwrap().chars().collect::<Vec<_>>(),
            &text.chars().collect::<Vec<_>>(),
        ),
        ("exactly", _) => equals(operand, value),
        ("anything-but", _) => !denied(operand, value),
        ("exists", _) => operand == &Value::Bool(true),
        ("cidr", _) => cidr(operand.as_str().unwrap(), text),
        ("matches", _) => regex(operand.as_str().unwrap(), text),
        _ => false,
    }
}

/// Whether one of what `anything-but` excludes holds.
fn denied(operand: &Value, value: &Value) -> bool {
    match operator(operand) {
        Some((name, parts)) => list(parts).iter().any(|part| {
            one(&Value::Object(Map::from_iter([(name.to_owned(), part.clone())])), value)
        }),
        None => list(operand).iter().any(|part| equals(part, value)),
    }
}

fn equals(wanted: &Value, value: &Value) -> bool {
    let address = |value: &Value| value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match (address(wanted), wanted, value) {
        (Some(wanted), ..) => address(value) == Some(wanted),
        (None, Value::Number(_), Value::Number(_)) => number(wanted) == number(value),
        _ => wanted == value,
    }
}

/// The tests' numbers are small, so that doubles are exact.
fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn numeric(parts: &Value, value: &Value) -> bool {
    let Some(number) = number(value) else { return false };
    list(parts).chunks(2).all(|pair| {
        let bound = pair[1].as_f64().unwrap();
        match pair[0].as_str().unwrap() {
            "=" => number.total_cmp(&bound).is_eq(),
            ">" => number > bound,
            ">=" => number >= bound,
            "<" => number < bound,
            "<=" => number <= bound,
            other => panic!("{other}"),
        }
    })
}

fn glob(wanted: &[char], text: &[char]) -> bool {
    match wanted {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|from| glob(rest, &text[from..])),
        ['\\', escaped, rest @ ..] => text.first() == Some(escaped) && glob(rest, &text[1..]),
        [letter, rest @ ..] => text.first() == Some(letter) && glob(rest, &text[1..]),
    }
}

fn cidr(network: &str, text: &str) -> bool {
    let (start, bits) = network.split_once('/').unwrap();
    let number = |text: &str| match text.parse().ok()? {
        IpAddr::V4(address) => Some((32, u128::from(u32::from(address)))),
        IpAddr::V6(address) => Some((128, u128::from(address))),
    };
    let (Some(start), Some(address)) = (number(start), number(text)) else { return false };
    let rest: u32 = start.0 - bits.parse::<u32>().unwrap();
    let masked = |number: u128| number.checked_shr(rest).unwrap_or(0);
    start.0 == address.0 && masked(start.1) == masked(address.1)
}

fn regex(pattern: &str, text: &str) -> bool {
    thread_local!(static COMPILED: RefCell<HashMap<String, PikeVM>> = RefCell::default());
    COMPILED.with_borrow_mut(|compiled| {
        let new = || PikeVM::new(pattern).unwrap();
        let machine = compiled.entry(pattern.to_owned()).or_insert_with(new);
        machine.is_match(&mut machine.create_cache(), text)
    })
}
