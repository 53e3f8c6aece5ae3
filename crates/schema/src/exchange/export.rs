//! The documents that describe event types to other programs.
//!
//! It must stay true that a schema that goes out accepts what the registered one accepts: every reference is rewritten to
//! the place that the schema has in the document.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Exported,
    bundle::{Budget, Target, bundle},
    payload::Dialect,
    place::Source,
};

/// An OpenAPI 3.1 document with each type as a webhook.
///
/// The version of the document is the sum of the versions of its types, so that it grows with each that is registered.
pub fn export_openapi(title: &str, types: &[Exported]) -> Value {
    let mut webhooks = Map::new();
    let mut schemas = Map::new();
    for (key, exported) in keyed(types) {
        let place = format!("#/components/schemas/{key}");
        let mut operation = json!({
            "summary": exported.name,
            "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": place } } } },
            "responses": { "2XX": { "description": "The event was taken." } },
            "x-version": exported.version,
        });
        if let Some(description) = &exported.description {
            operation["description"] = json!(description);
        }
        let (mut schema, dialect) = placed(&exported.schema, &place);
        if let (Dialect::Draft7, Value::Object(members)) = (dialect, &mut schema) {
            members.entry("$schema").or_insert_with(|| json!(dialect.uri()));
        }
        webhooks.insert(exported.name.clone(), json!({ "post": operation }));
        schemas.insert(key, schema);
    }
    json!({
        "openapi": "3.1.0",
        "info": info(title, types),
        "webhooks": webhooks,
        "components": { "schemas": schemas },
    })
}

/// An AsyncAPI 3 document with each type as a message that is sent, on a channel of its name.
///
/// The version of the document is the sum of the versions of its types, so that it grows with each that is registered.
pub fn export_asyncapi(title: &str, types: &[Exported]) -> Value {
    let (mut channels, mut operations, mut messages) = (Map::new(), Map::new(), Map::new());
    for (key, exported) in keyed(types) {
        let (schema, dialect) =
            placed(&exported.schema, &format!("#/components/messages/{key}/payload/schema"));
        let format = match dialect {
            Dialect::Draft7 => "application/schema+json;version=draft-07",
            Dialect::Draft202012 => "application/schema+json;version=draft/2020-12",
        };
        let mut message = json!({
            "name": exported.name,
            "contentType": "application/json",
            "payload": { "schemaFormat": format, "schema": schema },
            "x-version": exported.version,
        });
        if let Some(description) = &exported.description {
            message["description"] = json!(description);
        }
        let referred = json!({ "$ref": format!("#/components/messages/{key}") });
        channels.insert(
            key.clone(),
            json!({ "address": exported.name, "messages": { &key: referred } }),
        );
        operations.insert(
            format!("send-{key}"),
            json!({
                "action": "send",
                "channel": { "$ref": format!("#/channels/{key}") },
                "messages": [{ "$ref": format!("#/channels/{key}/messages/{key}") }],
            }),
        );
        messages.insert(key, message);
    }
    json!({
        "asyncapi": "3.0.0",
        "info": info(title, types),
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": messages },
    })
}

fn info(title: &str, types: &[Exported]) -> Value {
    let version: i64 = types.iter().map(|exported| i64::from(exported.version)).sum();
    json!({
        "title": title,
        "version": version.to_string(),
        "description": "The events of this installation. `x-version` is the version of the schema of a type.",
    })
}

/// The types with the keys that they have among the components, which take no other letters.
fn keyed(types: &[Exported]) -> Vec<(String, &Exported)> {
    let mut taken = BTreeSet::new();
    let fitting = |letter: char| {
        if letter.is_ascii_alphanumeric() || "._-".contains(letter) { letter } else { '_' }
    };
    let mut keyed = Vec::new();
    for exported in types {
        let plain: String = exported.name.chars().map(fitting).collect();
        let mut key = if plain.is_empty() { "type".to_owned() } else { plain.clone() };
        let mut suffix = 1;
        while !taken.insert(key.clone()) {
            suffix += 1;
            key = format!("{plain}-{suffix}");
        }
        keyed.push((key, exported));
    }
    keyed
}

/// A schema as it stands at a place in a document, and its draft.
fn placed(schema: &Value, place: &str) -> (Value, Dialect) {
    let named = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let dialect = Dialect::of(named, "").unwrap_or(Dialect::Draft202012);
    let target = Target { known: "", prefix: place, definitions: dialect.definitions() };
    let copied = bundle(&mut Source::new(schema, true), &mut Budget::default(), "", &target);
    let schema = copied.unwrap_or_else(|_| {
        // With a name of its own a schema is a resource, and its references stay right as they are written.
        let mut whole = schema.clone();
        if let Value::Object(members) = &mut whole {
            let name = place.trim_start_matches("#/").replace('/', ":");
            members.entry("$id").or_insert_with(|| json!(format!("urn:omni:{name}")));
        }
        whole
    });
    (schema, dialect)
}
