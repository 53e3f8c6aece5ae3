//! Merges the schemas of requests with those of answers.
//!
//! A type that is read and written has two schemas: what may be left out of a request is always there in an answer. Where
//! the two differ, that of the request is kept under the name with `Input` behind it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// How references to schemas of requests begin before the merge.
const READ: &str = "#/components/read/";
/// How references begin after it.
const SCHEMAS: &str = "#/components/schemas/";

/// Adds the schemas of requests to the document and makes every reference point to where they are.
pub(super) fn into(document: &mut Value, read: Map<String, Value>) {
    let split = split(document, &read);
    for (name, schema) in read {
        document["components"]["schemas"][named(&name, &split)] = schema;
    }
    redirect(document, &split);
}

fn named(name: &str, split: &BTreeSet<String>) -> String {
    if split.contains(name) { format!("{name}Input") } else { name.to_owned() }
}

/// The names whose two schemas differ, in themselves or in something they refer to.
fn split(document: &Value, read: &Map<String, Value>) -> BTreeSet<String> {
    let written = &document["components"]["schemas"];
    let mut split = BTreeSet::new();
    loop {
        let before = split.len();
        for (name, schema) in read {
            let Some(other) = written.get(name) else { continue };
            let mut schema = schema.clone();
            redirect(&mut schema, &split);
            if schema != *other {
                split.insert(name.clone());
            }
        }
        if split.len() == before {
            return split;
        }
    }
}

/// Makes the references to schemas of requests point to where these are after the merge.
fn redirect(value: &mut Value, split: &BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(reference)) = map.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(READ)
            {
                *reference = format!("{SCHEMAS}{}", named(name, split));
            }
            map.values_mut().for_each(|inner| redirect(inner, split));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| redirect(inner, split)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_and_what_refers_to_it_is_kept_apart() {
        let mut document = json!({
            "paths": { "body": { "$ref": "#/components/read/Outer" } },
            "components": { "schemas": {
                "Outer": { "properties": { "x": { "$ref": "#/components/schemas/Inner" } } },
                "Inner": { "required": ["a"] },
                "Same": { "type": "string" },
            } },
        });
        let read = json!({
            "Outer": { "properties": { "x": { "$ref": "#/components/read/Inner" } } },
            "Inner": { "required": [] },
            "Same": { "type": "string" },
            "Only": { "$ref": "#/components/read/Same" },
        });
        into(&mut document, read.as_object().unwrap().clone());
        assert_eq!(document["paths"]["body"]["$ref"], "#/components/schemas/OuterInput");
        let schemas = &document["components"]["schemas"];
        assert_eq!(
            schemas["OuterInput"]["properties"]["x"]["$ref"],
            "#/components/schemas/InnerInput"
        );
        assert_eq!(schemas["Outer"]["properties"]["x"]["$ref"], "#/components/schemas/Inner");
        assert_eq!(schemas["Only"]["$ref"], "#/components/schemas/Same");
        assert_eq!(schemas.get("SameInput"), None);
    }
}
