//! Schemas, changes and documents made of random bytes, so that a failure shrinks to a short list of them.

use serde_json::{Map, Value, json};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

/// Bytes that decide, one choice after the other; zero when they are used up.
pub(crate) struct Script<'a>(std::slice::Iter<'a, u8>);

impl<'a> Script<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn pick(&mut self, of: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % of
    }

    fn choose<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.pick(all.len())].clone()
    }
}

/// A schema that may refer to itself through a child.
pub(crate) fn schema_of(script: &mut Script<'_>) -> Value {
    let mut root = object(script, 0);
    let node = object(script, 1);
    root["$defs"] = json!({"Node": node});
    root
}

fn part(script: &mut Script<'_>, depth: usize) -> Value {
    if depth > 3 {
        return json!({"type": "string"});
    }
    match script.pick(14) {
        0 | 1 => json!({"type": "string"}),
        2 => bounded(script, "string", "minLength", "maxLength"),
        3 => bounded(script, "integer", "minimum", "maximum"),
        4 => json!({"type": "number", "multipleOf": script.choose(&[1, 2, 3, 6])}),
        5 => {
            let values = [json!("a"), json!("bb"), json!(1), json!(2)];
            json!({"enum": values[..=script.pick(4)]})
        }
        6 => json!({"type": ["integer", "null"]}),
        7 => json!({"type": "array", "items": part(script, depth + 1), "maxItems": script.pick(4)}),
        8 => json!({"anyOf": [part(script, depth + 1), {"type": "null"}]}),
        9 => json!({"oneOf": [part(script, depth + 1), part(script, depth + 1)]}),
        10 => json!({"allOf": [object(script, depth + 1), object(script, depth + 1)]}),
        11 => json!({"$ref": "#/$defs/Node"}),
        12 => json!({"type": "string", "not": {"enum": ["a"]}}),
        _ => object(script, depth + 1),
    }
}

fn bounded(script: &mut Script<'_>, kind: &str, least: &str, most: &str) -> Value {
    json!({"type": kind, least: script.pick(3), most: 2 + script.pick(4)})
}

fn object(script: &mut Script<'_>, depth: usize) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for name in NAMES.iter().take(1 + script.pick(3)) {
        properties.insert((*name).to_owned(), part(script, depth + 1));
        if script.pick(3) == 0 && depth < 2 {
            required.push(*name);
        }
    }
    let mut object = json!({"type": "object", "properties": properties, "required": required});
    match script.pick(5) {
        0 => object["additionalProperties"] = json!(false),
        1 => object["additionalProperties"] = part(script, depth + 2),
        2 => object["minProperties"] = json!(1),
        _ => {}
    }
    object
}

/// The same schema with a few changes somewhere in it.
pub(crate) fn edited(schema: &Value, script: &mut Script<'_>) -> Value {
    let mut schema = schema.clone();
    for _ in 0..=script.pick(2) {
        edit(&mut schema, script, 0);
    }
    schema
}

fn edit(schema: &mut Value, script: &mut Script<'_>, depth: usize) {
    let Value::Object(node) = schema else { return };
    let inner: Vec<String> = node
        .keys()
        .filter(|key| {
            ["properties", "$defs", "items", "allOf", "anyOf", "oneOf"].contains(&key.as_str())
        })
        .cloned()
        .collect();
    if !inner.is_empty() && depth < 5 && script.pick(3) > 0 {
        let key = script.choose(&inner);
        let children: Vec<&mut Value> = match node.get_mut(&key) {
            Some(Value::Object(named)) if key != "items" => named.values_mut().collect(),
            Some(Value::Array(list)) => list.iter_mut().collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let count = children.len();
        if count > 0 {
            let at = script.pick(count);
            if let Some(child) = children.into_iter().nth(at) {
                edit(child, script, depth + 1);
            }
            return;
        }
    }
    match script.pick(9) {
        0 => {
            let name = script.choose(&NAMES);
            if let Some(Value::Object(properties)) = node.get_mut("properties") {
                properties.insert(name.to_owned(), part(script, 2));
            }
        }
        1 => {
            let name = script.choose(&NAMES);
            if let Some(Value::Object(properties)) = node.get_mut("properties") {
                properties.remove(name);
            }
        }
        2 if depth == 0 => node.insert("required".to_owned(), json!(["a"])).map_or((), drop),
        3 => node.remove("required").map_or((), drop),
        4 => node.insert("additionalProperties".to_owned(), json!(false)).map_or((), drop),
        5 => node.remove("additionalProperties").map_or((), drop),
        6 if node.contains_key("maxLength") => {
            node.insert("maxLength".to_owned(), json!(2 + script.pick(5)));
        }
        7 => *schema = part(script, 2),
        _ => node.insert("title".to_owned(), json!("changed")).map_or((), drop),
    }
}

/// A document that probably fits the schema.
pub(crate) fn document(root: &Value, script: &mut Script<'_>) -> Value {
    build(root, root, script, 0)
}

fn build(schema: &Value, root: &Value, script: &mut Script<'_>, depth: usize) -> Value {
    let any = [json!("a"), json!(0), json!(null), json!("bb"), json!({}), json!(7)];
    if depth > 6 || !schema.is_object() {
        return script.choose(&any);
    }
    if schema.get("$ref").is_some() {
        return build(&root["$defs"]["Node"], root, script, depth + 1);
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        return script.choose(values);
    }
    for union in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = schema.get(union) {
            return build(&script.choose(branches), root, script, depth + 1);
        }
    }
    if let Some(Value::Array(parts)) = schema.get("allOf") {
        let mut all = Map::new();
        for part in parts {
            if let Value::Object(one) = build(part, root, script, depth + 1) {
                all.extend(one);
            }
        }
        return Value::Object(all);
    }
    match schema["type"].as_str() {
        Some("object") => {
            let mut object = Map::new();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let required =
                    schema["required"].as_array().is_some_and(|all| all.contains(&json!(name)));
                if required || script.pick(2) == 0 {
                    object.insert(name.clone(), build(property, root, script, depth + 1));
                }
            }
            if script.pick(3) == 0 {
                let rest = schema.get("additionalProperties").cloned().unwrap_or(Value::Bool(true));
                let name = script.choose(&["c", "d", "x"]);
                let value = build(&rest, root, script, depth + 1);
                object.entry(name.to_owned()).or_insert(value);
            }
            Value::Object(object)
        }
        Some("array") => {
            (0..script.pick(4)).map(|_| build(&schema["items"], root, script, depth + 1)).collect()
        }
        Some("string") => script.choose(&["", "a", "bb", "ccc", "dddd", "eeeee", "ffffff"]).into(),
        Some("integer" | "number") => script.choose(&[0, 1, 2, 3, 4, 5, 6, -1]).into(),
        _ => script.choose(&any),
    }
}

/// Whether a schema is made of plain objects, arrays and values, of which each place alone is judged by one schema.
pub(crate) fn plain(schema: &Value) -> bool {
    match schema {
        Value::Object(node) => {
            !["anyOf", "oneOf", "allOf", "not"].iter().any(|key| node.contains_key(*key))
                && node.iter().all(|(key, value)| match key.as_str() {
                    "properties" | "$defs" => {
                        value.as_object().is_some_and(|all| all.values().all(plain))
                    }
                    "items" | "additionalProperties" => plain(value),
                    _ => true,
                })
        }
        _ => true,
    }
}

/// Whether the objects of a document hold declared properties only, where the schema leaves open what else is there.
pub(crate) fn closed_to(root: &Value, document: &Value) -> bool {
    closed(root, root, document)
}

fn closed(schema: &Value, root: &Value, document: &Value) -> bool {
    let schema = if schema.get("$ref").is_some() { &root["$defs"]["Node"] } else { schema };
    let rest = schema.get("additionalProperties").cloned().unwrap_or(Value::Bool(true));
    match document {
        Value::Object(object) => {
            let declares = schema["properties"].as_object().is_some_and(|all| !all.is_empty())
                || schema["required"].as_array().is_some_and(|all| !all.is_empty());
            let says = rest.as_object().is_some_and(|rest| !rest.is_empty());
            object.iter().all(|(name, value)| {
                let inner = schema["properties"].get(name);
                (inner.is_some() || says || !declares)
                    && closed(inner.unwrap_or(&rest), root, value)
            })
        }
        Value::Array(items) => items.iter().all(|item| closed(&schema["items"], root, item)),
        _ => true,
    }
}

/// A plain schema as a reader has it that passes over what its closed objects do not declare.
pub(crate) fn opened(schema: &Value) -> Value {
    let Value::Object(node) = schema else { return schema.clone() };
    let kept = node
        .iter()
        .filter(|(key, value)| *key != "additionalProperties" || **value != Value::Bool(false));
    let opened = kept.map(|(key, value)| {
        let inner = match (key.as_str(), value) {
            ("properties" | "$defs", Value::Object(all)) => {
                Value::Object(all.iter().map(|(name, one)| (name.clone(), opened(one))).collect())
            }
            ("items" | "additionalProperties", one) => opened(one),
            _ => value.clone(),
        };
        (key.clone(), inner)
    });
    Value::Object(opened.collect())
}
