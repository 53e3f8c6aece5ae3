//! The JSON format: one object with the attributes as members, and the data as `data` or `data_base64`.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{ATTRIBUTES_MAX, Attributes, CloudEvent, InvalidCloudEvent, invalid};

/// Two more than attributes: the data, and a second data that is refused for what it is.
const MEMBERS_MAX: usize = ATTRIBUTES_MAX + 2;
const DATA: &str = "data";
const DATA_BASE64: &str = "data_base64";

pub(super) fn read(body: &Bytes) -> Result<CloudEvent, InvalidCloudEvent> {
    let members: Members<'_> = serde_json::from_slice(body).map_err(InvalidCloudEvent::Json)?;
    let (mut data, mut base64) = (None, None);
    let mut attributes = Attributes::default();
    for (name, value) in members.0 {
        let slot = match name.as_str() {
            DATA => &mut data,
            DATA_BASE64 => &mut base64,
            name => {
                if let Some(value) = attribute(name, value)? {
                    attributes.add(name, value)?;
                }
                continue;
            }
        };
        if slot.replace(value).is_some() {
            return Err(invalid(&name, "is there more than once"));
        }
    }
    let mut event = CloudEvent::build(attributes, Bytes::new())?;
    event.data = match (data, base64) {
        (Some(_), Some(_)) => {
            return Err(InvalidCloudEvent::Data("there is both `data` and `data_base64`"));
        }
        (None, None) => Bytes::new(),
        (Some(data), None) if event.is_json() => body.slice_ref(data.get().as_bytes()),
        (Some(data), None) => of_text(data)?,
        (None, Some(base64)) => of_base64(base64)?,
    };
    Ok(event)
}

/// The value of an attribute as text; `null` is as if it were not there.
fn attribute(name: &str, value: &RawValue) -> Result<Option<String>, InvalidCloudEvent> {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b't' | b'f') => Ok(Some(text.to_owned())),
        Some(b'"') => serde_json::from_str(text).map(Some).map_err(InvalidCloudEvent::Json),
        // The type system of CloudEvents has whole numbers of 32 bits only.
        Some(b'-' | b'0'..=b'9') if text.parse::<i32>().is_ok() => Ok(Some(text.to_owned())),
        _ => Err(invalid(name, "must be a text, a boolean or a whole number of 32 bits")),
    }
}

fn of_text(data: &RawValue) -> Result<Bytes, InvalidCloudEvent> {
    let reason = "`datacontenttype` says it is not JSON, then `data` must be a text";
    let text: String =
        serde_json::from_str(data.get()).map_err(|_| InvalidCloudEvent::Data(reason))?;
    Ok(text.into())
}

fn of_base64(data: &RawValue) -> Result<Bytes, InvalidCloudEvent> {
    let fault = || InvalidCloudEvent::Data("`data_base64` is not base64");
    let text: String = serde_json::from_str(data.get()).map_err(|_| fault())?;
    STANDARD.decode(text).map(Bytes::from).map_err(|_| fault())
}

/// The members of an object in their order, so that none can hide behind another of its name.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            if members.len() == MEMBERS_MAX {
                return Err(A::Error::custom("it has too many members"));
            }
            members.push(member);
        }
        Ok(Members(members))
    }
}
