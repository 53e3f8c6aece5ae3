//! Patterns, conditions and events of few names and values, so that they often meet.

use proptest::{collection::vec, prelude::*, sample::select, strategy::Union};
use serde_json::{Map, Value, json};

const TEXTS: [&str; 14] = [
    "",
    "a",
    "b",
    "ab",
    "ba",
    "abc",
    "Ab",
    "aBa",
    "10.0.0.1",
    "10.0.0.200",
    "::1",
    "0:0:0:0:0:0:0:1",
    "1",
    "*\\é",
];

const REGEXES: [&str; 6] = ["^a", "b$", "^(a|b)+$", "[0-9]", "é", "^$"];

const GLOBS: [&str; 10] = ["a*", "*b", "*", "a*a", "*b*", "a*b*c", "ab", "", "\\**", "1*.*0*0"];

fn text() -> impl Strategy<Value = Value> {
    select(&TEXTS[..]).prop_map(Value::from)
}

fn number() -> impl Strategy<Value = Value> {
    select(vec![json!(-1), json!(0), json!(1), json!(2), json!(10), json!(1.5), json!(-0.5)])
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![6 => text(), 4 => number(), 1 => any::<bool>().prop_map(Value::from), 1 => Just(Value::Null)]
}

/// An event: an object of a few names, with arrays and objects within each other.
pub(crate) fn event() -> impl Strategy<Value = Value> {
    let value = scalar().prop_recursive(5, 48, 5, |inner| {
        prop_oneof![3 => vec(inner.clone(), 0..5).prop_map(Value::from), 4 => object(inner)]
    });
    object(value)
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let fields = vec((select(vec!["a", "b", "c", "x\"y"]), inner), 0..5);
    fields.prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(fields.collect::<Map<_, _>>())
    })
}

/// The event as JSON text of another form than usual: spaces, escapes, numbers with an exponent.
pub(crate) fn written(event: &Value, mut noise: u64) -> String {
    let mut text = String::new();
    write(event, &mut noise, &mut text);
    text
}

fn write(value: &Value, noise: &mut u64, text: &mut String) {
    let space = |noise: &mut u64| [" ", "", "", "\n\t", ""][chance(noise, 5)];
    text.push_str(space(noise));
    match value {
        Value::Object(fields) => {
            text.push('{');
            for (place, (name, field)) in fields.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                text.push_str(space(noise));
                string(name, noise, text);
                text.push_str(space(noise));
                text.push(':');
                write(field, noise, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place > 0 { "," } else { "" });
                write(item, noise, text);
            }
            text.push(']');
        }
        Value::String(string) => self::string(string, noise, text),
        Value::Number(number) if number.is_i64() => {
            let form = ["", ".0", "e0", "E+0", ".00e-0"][chance(noise, 5)];
            text.extend([number.to_string().as_str(), form]);
        }
        other => text.push_str(&other.to_string()),
    }
    text.push_str(space(noise));
}

fn string(string: &str, noise: &mut u64, text: &mut String) {
    text.push('"');
    for char in string.chars() {
        let plain = !matches!(char, '"' | '\\');
        if plain && chance(noise, 8) > 0 {
            text.push(char);
        } else {
            text.extend([format!("\\u{:04X}", u32::from(char))]);
        }
    }
    text.push('"');
}

fn chance(noise: &mut u64, of: usize) -> usize {
    *noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*noise >> 33) as usize % of
}

fn named(
    name: &'static str,
    operand: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Value> {
    operand.prop_map(move |operand| json!({ name: operand })).boxed()
}

/// One of these, or a list of some.
fn texts(of: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let one = select(of).prop_map(Value::from);
    prop_oneof![one.clone(), vec(one, 1..3).prop_map(Value::from)]
}

/// An alternative that asks one value.
fn one() -> impl Strategy<Value = Value> {
    let glob = select(&GLOBS[..]).prop_map(Value::from);
    let fold = || named("equals-ignore-case", text());
    let denied = prop_oneof![
        text(),
        number(),
        vec(text(), 1..3).prop_map(Value::from),
        vec(number(), 1..3).prop_map(Value::from),
        named("prefix", texts(&TEXTS[1..])),
        named("suffix", texts(&TEXTS[1..])),
        named("equals-ignore-case", texts(&TEXTS)),
        named("wildcard", texts(&GLOBS)),
    ];
    let network = select(vec!["10.0.0.0/24", "10.0.0.0/25", "10.0.0.2/0", "::/1", "::/127"]);
    Union::new_weighted(vec![
        (12, scalar().boxed()),
        (1, named("exactly", text())),
        (3, named("prefix", prop_oneof![text(), fold()])),
        (3, named("suffix", prop_oneof![text(), fold()])),
        (2, fold()),
        (3, named("wildcard", glob)),
        (4, named("anything-but", denied)),
        (4, named("numeric", numeric())),
        (2, Just(json!({ "exists": true })).boxed()),
        (2, named("cidr", network.prop_map(Value::from))),
        (2, named("matches", select(&REGEXES[..]).prop_map(Value::from))),
    ])
}

fn numeric() -> impl Strategy<Value = Value> {
    let single = (select(vec!["=", ">", ">=", "<", "<="]), number());
    let lower = (select(vec![">", ">="]), number());
    prop_oneof![
        single.prop_map(|(operator, number)| json!([operator, number])),
        (lower, select(vec!["<", "<="]), number())
            .prop_map(|((lower, low), upper, high)| json!([lower, low, upper, high])),
    ]
}

fn leaf() -> BoxedStrategy<Value> {
    let alternative = prop_oneof![
        10 => one(),
        1 => Just(json!({ "exists": false })),
        1 => named("all", vec(one(), 1..3).prop_map(Value::from)),
        1 => named("none-of", vec(one(), 1..3).prop_map(Value::from)),
    ];
    prop_oneof![5 => vec(alternative, 1..4).prop_map(Value::from), 1 => dollar()].boxed()
}

fn dollar() -> impl Strategy<Value = Value> {
    let list = || vec(scalar(), 1..3).prop_map(Value::from);
    let field = |name: &'static str, operand: BoxedStrategy<Value>| {
        operand.prop_map(move |operand| (name.to_owned(), operand)).boxed()
    };
    let regex = || select(&REGEXES[..]).prop_map(Value::from).boxed();
    let fields = Union::new(vec![
        field("$eq", scalar().boxed()),
        field("$ne", scalar().boxed()),
        field("$gt", number().boxed()),
        field("$gte", number().boxed()),
        field("$lt", number().boxed()),
        field("$lte", number().boxed()),
        field("$in", list().boxed()),
        field("$nin", list().boxed()),
        field("$contains", scalar().boxed()),
        field("$startsWith", text().boxed()),
        field("$endsWith", text().boxed()),
        field("$matches", regex()),
        field("$regex", regex()),
        field("$exists", any::<bool>().prop_map(Value::from).boxed()),
    ]);
    vec(fields, 1..3).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// A pattern. Some are refused: a range without a number, a field that is asked twice.
pub(crate) fn pattern() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 12, 3, |inner| fields(inner, 1)).prop_flat_map(|inner| {
        // The outermost has to be a pattern itself.
        if inner.is_array() || inner.as_object().is_some_and(is_dollar) {
            select(vec!["a", "b"]).prop_map(move |name| json!({ name: inner })).boxed()
        } else {
            Just(inner).boxed()
        }
    })
}

fn is_dollar(fields: &Map<String, Value>) -> bool {
    fields.keys().all(|name| name.starts_with('$') && name != "$or" && name != "$and")
}

fn fields(
    inner: impl Strategy<Value = Value> + Clone + 'static,
    least: usize,
) -> impl Strategy<Value = Value> {
    let name = select(vec!["a", "b", "c"]);
    let plain = vec((name, inner), least..4).prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        fields.collect::<Map<_, _>>()
    });
    let plain = plain.boxed();
    let either = proptest::option::weighted(0.3, vec(plain.clone(), 2..4));
    let each = proptest::option::weighted(0.2, vec(plain.clone(), 1..3));
    (plain, either, each).prop_map(|(mut fields, either, each)| {
        if let Some(either) = either {
            // What stands beside an `$or` cannot be asked in it again.
            fields.retain(|name, _| !either.iter().any(|part| part.contains_key(name)));
            fields.insert("$or".to_owned(), json!(either));
        }
        if let Some(each) = each {
            fields.insert("$and".to_owned(), json!(each));
        }
        Value::Object(fields)
    })
}

/// Conditions, as their author writes them.
pub(crate) fn conditions() -> impl Strategy<Value = Value> {
    let field = select(vec!["a", "b", "a.b", "c.a", "a.0", "b.1.a", "$.a", "$..b", "$.a[*]"]);
    let operand =
        prop_oneof![4 => scalar(), 1 => event(), 1 => vec(scalar(), 0..3).prop_map(Value::from)];
    let condition = prop_oneof![
        (field.clone(), select(vec!["eq", "neq", "contains"]), operand),
        (field.clone(), select(vec!["gt", "gte", "lt", "lte"]), prop_oneof![text(), number()]),
        (field.clone(), select(vec!["startsWith", "endsWith"]), text()),
        (field.clone(), Just("matches"), select(&REGEXES[..]).prop_map(Value::from)),
        (field.clone(), Just("in"), vec(scalar(), 0..4).prop_map(Value::from)),
        (field, Just("exists"), any::<bool>().prop_map(Value::from)),
    ];
    let condition = condition.prop_map(
        |(field, operator, value)| json!({ "field": field, "operator": operator, "value": value }),
    );
    prop_oneof![3 => Just(json!([])), 1 => vec(condition, 1..3).prop_map(Value::from)]
}
