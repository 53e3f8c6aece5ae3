//! Single values out of a body that nobody has vouched for yet.
//!
//! Nothing is built of the body but the value that is asked for, and a name that is there twice gives no value: two
//! readers could take different ones.

use std::{borrow::Cow, fmt};

use http::{HeaderMap, header::CONTENT_TYPE};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use url::form_urlencoded;

const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Why a body has no such value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoField {
    Missing,
    Repeated,
}

/// Whether the body is a form, by its media type.
pub(crate) fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind.eq_ignore_ascii_case(FORM)
}

/// The fields of a form, in their order.
pub(crate) fn form(body: &[u8]) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(body)
}

/// The only value of this name in a form or a query.
pub(crate) fn only<'b>(form: &'b [u8], name: &str) -> Result<Cow<'b, str>, NoField> {
    let mut values =
        form_urlencoded::parse(form).filter(|(key, _)| key == name).map(|(_, value)| value);
    let value = values.next().ok_or(NoField::Missing)?;
    if values.next().is_some() { Err(NoField::Repeated) } else { Ok(value) }
}

/// A text, or a number as it was written, in a body of JSON or in a form.
pub(crate) fn value<'b>(
    headers: &HeaderMap,
    body: &'b [u8],
    path: &[String],
) -> Result<Cow<'b, str>, NoField> {
    if is_form(headers) {
        return only(body, &path.join("."));
    }
    let mut raw: &RawValue = serde_json::from_slice(body).map_err(|_| NoField::Missing)?;
    for key in path {
        raw = step(raw, key)?;
    }
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str::<Text<'b>>(text).map(|text| text.0).map_err(|_| NoField::Missing)
        }
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(text)),
        _ => Err(NoField::Missing),
    }
}

/// A text that is borrowed where it holds no escapes.
#[derive(serde::Deserialize)]
struct Text<'b>(#[serde(borrow)] Cow<'b, str>);

fn step<'b>(raw: &'b RawValue, key: &str) -> Result<&'b RawValue, NoField> {
    let mut repeated = false;
    let mut json = serde_json::Deserializer::from_str(raw.get());
    let found = json.deserialize_any(Seek { key, repeated: &mut repeated });
    match found {
        Ok(Some(value)) => Ok(value),
        _ if repeated => Err(NoField::Repeated),
        _ => Err(NoField::Missing),
    }
}

/// Finds one member of an object, or one item of a list.
struct Seek<'s> {
    key: &'s str,
    repeated: &'s mut bool,
}

impl<'de> Visitor<'de> for Seek<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_it) = map.next_key_seed(Is(self.key))? {
            if !is_it {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&'de RawValue>()?;
            if found.replace(value).is_some() {
                *self.repeated = true;
                return Err(A::Error::custom("repeated"));
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let wanted = self.key.parse::<usize>().ok();
        let (mut found, mut index) = (None, 0);
        while let Some(item) = items.next_element::<&'de RawValue>()? {
            if Some(index) == wanted {
                found = Some(item);
            }
            index += 1;
        }
        Ok(found)
    }
}

/// Whether a name of an object is this one, without keeping the name.
struct Is<'s>(&'s str);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(name == self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str, path: &str, kind: &str) -> Result<String, NoField> {
        let headers = [(CONTENT_TYPE, kind.parse().unwrap())].into_iter().collect();
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        value(&headers, body.as_bytes(), &path).map(Cow::into_owned)
    }

    #[test]
    fn values_are_found_as_they_were_sent() {
        let json = |body, path| read(body, path, "application/json");
        let body = r#"{"a": {"b": [1, {"c": "x\u00e9"}]}, "n": 1.50, "t": true, "a.b": "no"}"#;
        assert_eq!(json(body, "a.b.1.c").as_deref(), Ok("xé"));
        assert_eq!(json(body, "a.b.0").as_deref(), Ok("1"));
        assert_eq!(json(body, "n").as_deref(), Ok("1.50"));
        for missing in ["t", "a", "a.b.7", "a.b.x", "x", "n.x"] {
            assert_eq!(json(body, missing), Err(NoField::Missing), "{missing}");
        }
        assert_eq!(json(r#"{"a": "1", "\u0061": "2"}"#, "a"), Err(NoField::Repeated));
        assert_eq!(json(r#"{"a": "1"} x"#, "a"), Err(NoField::Missing));
        assert_eq!(json(r#"{"a": "1", "#, "a"), Err(NoField::Missing));
        assert_eq!(json("\u{1}", "a"), Err(NoField::Missing));
    }

    #[test]
    fn forms_are_read_by_their_media_type() {
        let kind = "Application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(read("a=1&b.c=x+%C3%A9", "b.c", kind).as_deref(), Ok("x é"));
        assert_eq!(read("a=1&a=2", "a", kind), Err(NoField::Repeated));
        assert_eq!(read("a=1", "b", kind), Err(NoField::Missing));
        assert_eq!(read("a=1", "a", "text/plain"), Err(NoField::Missing));
    }
}
