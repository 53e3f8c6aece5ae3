//! `application/x-www-form-urlencoded`: an object of texts, with arrays where a name is repeated.

use bytes::Bytes;
use omni_events::Payload;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::{Unreadable, looks_like_json};

/// Most fields of a form: each costs memory beyond its bytes, and honest forms have a few dozen.
pub(super) const FIELDS_MAX: usize = 1000;
/// The one field of forms that carry JSON, as GitHub and the buttons of Slack send it.
const PAYLOAD: &str = "payload";

/// Reads a form. One whose only field is `payload` and holds JSON is that JSON.
pub(super) fn read(body: &Bytes) -> Result<Payload, Unreadable> {
    let mut pairs = form_urlencoded::parse(body);
    if let (Some((name, text)), None) = (pairs.next(), pairs.next())
        && name == PAYLOAD
        && looks_like_json(text.as_bytes())
        && let Ok(payload) = Payload::parse(text.into_owned().into())
    {
        return Ok(payload);
    }
    let mut fields = Map::new();
    for (count, (name, value)) in form_urlencoded::parse(body).enumerate() {
        if count == FIELDS_MAX {
            return Err(Unreadable::Other(format!(
                "The form has more than {FIELDS_MAX} fields; send fewer, or JSON."
            )));
        }
        add(&mut fields, name.into_owned(), Value::String(value.into_owned()));
    }
    Ok(Payload::from_value(&Value::Object(fields)))
}

/// Puts a field into an object: alone as it is, repeated as an array in the order of arrival.
pub(super) fn add(fields: &mut Map<String, Value>, name: String, value: Value) {
    match fields.get_mut(&name) {
        None => {
            fields.insert(name, value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}
