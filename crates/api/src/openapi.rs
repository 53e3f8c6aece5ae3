//! The OpenAPI 3.1 document, made from the route table; schemas come from the types that the handlers really use.

mod merge;

use http::Method;
use omni_sources::webhook::Code;
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    problem::{self, Kind},
    routes::{Route, SchemaOf},
};

/// Where OpenAPI keeps named schemas.
const SCHEMAS: &str = "/components/schemas";
/// Where the schemas of requests stand until they are merged with those of answers.
const READ: &str = "/components/read";
/// What every operation takes besides its own parameters: (header, what it does).
const HEADERS: [(&str, &str); 2] = [
    ("X-Omni-Org", "The organisation; `default` when absent."),
    ("X-Correlation-Id", "Given back with the answer, and kept with whatever the call causes."),
];
/// What `Idempotency-Key` does, by operation.
const KEYS: [(&str, &str); 2] = [
    ("triggerEvent", "A repeat with the same key and body answers as the first call did."),
    (
        "publishEvents",
        "A repeat with the same key and body answers as the first call did. In an array, the event at index i has the \
         key `{key}:{i}`. CloudEvents do not need it: their `source` and `id` are their key.",
    ),
];

/// Writes the document.
pub(crate) fn document(routes: &[Route], version: &str) -> Value {
    let at = |path: &'static str| {
        SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = path.into();
            settings.meta_schema = None;
        })
    };
    let mut reading = at(READ).for_deserialize().into_generator();
    let mut writing = at(SCHEMAS).for_serialize().into_generator();
    let problem = writing.subschema_for::<problem::Document<'static>>();
    let mut paths = Map::new();
    for route in routes {
        let operation = operation(route, &mut reading, &mut writing, &problem);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    let read = reading.take_definitions(true);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Omni",
            "version": version,
            "description": "Events in, rules over them, actions out. Times are RFC 3339 in UTC; ids are UUIDs.",
        },
        "paths": paths,
        "components": { "schemas": writing.take_definitions(true) },
        "x-problems": problems(),
    });
    merge::into(&mut document, read);
    document
}

/// The codes that an answer may carry, for clients that branch on them.
fn problems() -> Vec<Value> {
    let ours = Kind::ALL.map(Kind::row).map(|row| (row.code, row.status, row.title));
    ours.into_iter()
        .chain(Code::ALL.map(Code::row))
        .map(|(code, status, title)| json!({ "code": code, "status": status.as_u16(), "title": title }))
        .collect()
}

fn operation(
    route: &Route,
    reading: &mut SchemaGenerator,
    writing: &mut SchemaGenerator,
    problem: &Schema,
) -> Value {
    let mut success = json!({ "description": reason(route) });
    if let Some(answer) = route.answer {
        success["content"] = json!({ "application/json": { "schema": answer(writing) } });
    } else if let Some(media) = route.media {
        success["content"] = json!({ (media): { "schema": { "type": "string" } } });
    }
    let mut operation = json!({
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [tag(route.path)],
        "parameters": parameters(route, reading),
        "responses": {
            (route.status.as_str()): success,
            "default": {
                "description": "What went wrong, as RFC 9457 problem details.",
                "content": { "application/problem+json": { "schema": problem } },
            },
        },
    });
    if let Some(body) = route.body {
        let mut content = json!({ "application/json": { "schema": body(reading) } });
        for (media, schema) in &route.or_bodies {
            content[*media] = json!({ "schema": schema(reading) });
        }
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    if let Some(rpc) = route.rpc {
        operation["x-rpc"] = json!(format!("omni.v1.{rpc}"));
    }
    operation
}

fn reason(route: &Route) -> &'static str {
    route.status.canonical_reason().unwrap_or("Done")
}

/// The resource an operation belongs to: the first part of its path after `/api`.
fn tag(path: &str) -> &str {
    path.trim_start_matches("/api").split('/').find(|part| !part.is_empty()).unwrap_or("other")
}

fn parameters(route: &Route, reading: &mut SchemaGenerator) -> Vec<Value> {
    let mut parameters: Vec<Value> = placeholders(route.path)
        .map(|name| {
            json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if let Some(query) = route.query {
        parameters.extend(query_parameters(query, reading));
    }
    if route.path.starts_with("/api/") {
        let header = |(name, description): (&str, &str)| json!({ "name": name, "in": "header", "description": description, "schema": { "type": "string" } });
        parameters.extend(HEADERS.map(header));
        if let Some((_, does)) = KEYS.iter().find(|(id, _)| *id == route.operation_id) {
            parameters.push(header(("Idempotency-Key", does)));
        }
        if route.method == Method::PUT {
            parameters.push(header((
                "If-Match",
                "Refuse with 412 unless the stored `ETag` is this one.",
            )));
        }
    }
    parameters
}

/// The names in `{braces}`.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// One parameter per property of the query type.
fn query_parameters(query: SchemaOf, reading: &mut SchemaGenerator) -> Vec<Value> {
    let schema = query(reading);
    let required = schema.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    let properties =
        schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let parameter = |(name, mut schema): (String, Value)| {
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let schema = without_null(schema);
        json!({
            "name": name,
            "in": "query",
            "required": required.contains(&json!(name)),
            "description": description.unwrap_or_default(),
            "schema": schema,
        })
    };
    properties.into_iter().map(parameter).collect()
}

/// A parameter is there or not; it cannot be null.
fn without_null(mut schema: Value) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.retain(|key, value| !(key == "default" && value.is_null()));
        if let Some(Value::Array(alternatives)) = map.get_mut("anyOf") {
            alternatives.retain(|one| one["type"] != "null");
        }
        if let Some(types) = map.get_mut("type")
            && let Value::Array(names) = types
        {
            names.retain(|name| name != "null");
            if let [name] = names.as_slice() {
                *types = name.clone();
            }
        }
    }
    schema
}
