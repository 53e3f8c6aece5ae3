//! Schemas and events as they are met: texts, numbers, choices and a nested object.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A schema with so many properties, half of them required.
pub(crate) fn schema(properties: usize) -> Value {
    let mut all = Map::new();
    for number in 0..properties {
        let property = match number % 5 {
            0 => json!({ "type": "string", "maxLength": 200 }),
            1 => json!({ "type": "integer", "minimum": 0 }),
            2 => json!({ "enum": ["new", "paid", "sent", "lost"] }),
            3 => json!({ "type": "array", "items": { "type": "string" }, "maxItems": 10 }),
            _ => {
                json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } })
            }
        };
        all.insert(format!("property_{number}"), property);
    }
    let required: Vec<String> =
        (0..properties).step_by(2).map(|n| format!("property_{n}")).collect();
    json!({ "type": "object", "required": required, "properties": all })
}

/// An event of about a kilobyte that fits the schema with twenty.
pub(crate) fn event(number: usize) -> Vec<u8> {
    let mut text = String::from("{");
    for property in 0..20 {
        let value = match property % 5 {
            0 => format!(r#""the value {number} of what the customer has said of it""#),
            1 => number.to_string(),
            2 => r#""paid""#.to_owned(),
            3 => r#"["a few words", "and a few more"]"#.to_owned(),
            _ => format!(r#"{{"id": "01900000-0000-7000-8000-{number:012}"}}"#),
        };
        let comma = if property == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma}"property_{property}":{value}"#);
    }
    text.push('}');
    text.into_bytes()
}
