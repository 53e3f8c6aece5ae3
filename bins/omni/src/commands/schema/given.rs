//! A schema as somebody wrote it: by itself, in a document of kind EventType, or as the server tells a type.

use std::path::Path;

use serde_json::{Map, Value};

use crate::documents;
use crate::error::Error;
use crate::output::clean;

/// What the server takes of a type.
const MEMBERS: [&str; 7] =
    ["eventType", "schema", "description", "validation", "compatibility", "policy", "stream"];

/// Reads a file into what the server takes, for this type if one is given; a type is always in it afterwards.
pub(super) fn read(file: &Path, event_type: Option<&str>) -> Result<Map<String, Value>, Error> {
    shape(documents::one(file)?, event_type)
        .map_err(|why| Error::Usage(format!("{}: {}", file.display(), clean(&why))))
}

fn shape(value: Value, event_type: Option<&str>) -> Result<Map<String, Value>, String> {
    let mut body = if value.get("kind").is_some_and(Value::is_string) {
        documents::event_type(value)?
    } else {
        match value {
            Value::Object(mut info) if info.contains_key("eventType") => {
                // Such as `omni schema get -o json` prints: what the server adds is not sent back to it.
                info.retain(|name, value| MEMBERS.contains(&name.as_str()) && !value.is_null());
                info
            }
            schema @ (Value::Object(_) | Value::Bool(_)) => {
                Map::from_iter([("schema".to_owned(), schema)])
            }
            _ => return Err("a JSON Schema is an object (or true)".to_owned()),
        }
    };
    if !body.contains_key("schema") {
        return Err("there is no schema in it".to_owned());
    }
    match (body.get("eventType").and_then(Value::as_str), event_type) {
        (None, None) => Err("which event type is it? say --type TYPE".to_owned()),
        (Some(written), Some(typed)) if written != typed => {
            Err(format!("it is about the event type {written}, not about {typed}"))
        }
        (Some(_), _) => Ok(body),
        (None, Some(typed)) => {
            body.insert("eventType".to_owned(), Value::from(typed));
            Ok(body)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_read_however_it_was_written() {
        let schema = json!({ "type": "object", "properties": { "kind": true } });
        let wanted = json!({ "eventType": "custom.a", "schema": schema });
        let alone = shape(schema.clone(), Some("custom.a"));
        assert_eq!(alone.map(Value::Object), Ok(wanted.clone()));
        let document =
            json!({ "kind": "EventType", "name": "custom.a", "spec": { "schema": schema } });
        assert_eq!(shape(document, None).map(Value::Object), Ok(wanted.clone()));
        let told =
            json!({ "eventType": "custom.a", "schema": schema, "version": 3, "policy": null });
        assert_eq!(shape(told, Some("custom.a")).map(Value::Object), Ok(wanted));
        assert_eq!(shape(json!(true), Some("custom.a")).unwrap()["schema"], true);
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        let wrong = |value: Value, event_type: Option<&str>| shape(value, event_type).unwrap_err();
        assert!(wrong(json!({ "type": "object" }), None).contains("--type TYPE"));
        assert!(wrong(json!([1]), Some("custom.a")).contains("is an object"));
        assert!(wrong(json!({ "eventType": "custom.a" }), None).contains("no schema"));
        let document =
            json!({ "kind": "EventType", "name": "custom.a", "spec": { "schema": true } });
        assert!(wrong(document, Some("custom.b")).contains("custom.a, not about custom.b"));
        let source = json!({ "kind": "Source", "name": "a", "spec": {} });
        assert!(wrong(source, None).contains("omni apply"));
    }
}
