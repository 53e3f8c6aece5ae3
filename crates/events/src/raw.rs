//! Raw JSON: the bytes of a payload exactly as they were sent.
//!
//! A payload is checked once, when it enters, and never parsed into a tree on its way: number text, key order and big
//! integers arrive as they left. Whoever needs a tree asks for one with [`Payload::to_value`].

use std::fmt;

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Deepest nesting of arrays and objects that is accepted: the 128th level is where parsers downstream refuse, and
/// deeper documents overflow the stack of those that do not.
pub const DEPTH_MAX: usize = 127;

/// Valid JSON text of bounded depth, kept byte for byte; a clone shares the bytes.
#[derive(Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "serde_json::Value")]
pub struct Payload(Bytes);

/// Where and why some bytes are not acceptable JSON.
#[derive(Debug, thiserror::Error)]
#[error("{message} at byte {offset} (line {line}, column {column})")]
pub struct InvalidJson {
    /// Bytes before the fault.
    pub offset: usize,
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

impl Payload {
    /// Checks bytes and keeps them as they are.
    ///
    /// # Errors
    /// When the bytes are not UTF-8, not one JSON document, nested deeper than [`DEPTH_MAX`], or hold what no reader can
    /// represent: half a surrogate pair, a number beyond a double. Such an event could not be shown to any rule.
    pub fn parse(bytes: Bytes) -> Result<Self, InvalidJson> {
        // The depth comes first: it is a scan without recursion, so no hostile document reaches a parser.
        if let Some(offset) = too_deep(&bytes) {
            return Err(fault(&bytes, offset, format!("JSON is nested deeper than {DEPTH_MAX}")));
        }
        match serde_json::from_slice::<Readable>(&bytes) {
            Ok(Readable) => Ok(Self(bytes)),
            Err(error) => {
                let offset = offset_of(&bytes, error.line(), error.column());
                let text = error.to_string();
                let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
                Err(fault(&bytes, offset, message))
            }
        }
    }

    /// Writes a value as compact JSON.
    pub fn from_value(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }

    /// The bytes as they were sent.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The text as it was sent.
    pub fn as_str(&self) -> &str {
        // Checked by `parse`; the fallback cannot be reached.
        std::str::from_utf8(&self.0).unwrap_or("null")
    }

    /// The elements of an array, each byte for byte as it stands there; `None` when this is no array.
    ///
    /// For batches: what is in each is read by itself, so that one bad element does not hide the others.
    pub fn elements(&self) -> Option<Vec<&str>> {
        let elements: Vec<&RawValue> = serde_json::from_slice(&self.0).ok()?;
        Some(elements.into_iter().map(RawValue::get).collect())
    }

    /// Parses the text into a tree, for whoever has to look inside.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

/// A document that can be parsed into a tree; checks it without building one.
struct Readable;

impl<'de> Deserialize<'de> for Readable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        while fields.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// The offset of the bracket that nests too deep, if any; brackets inside strings do not count.
fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for (offset, byte) in bytes.iter().enumerate() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return Some(offset);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// Turns the line and column of a parser into bytes before the fault.
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let before: usize =
        bytes.split_inclusive(|b| *b == b'\n').take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    (before + column.saturating_sub(1)).min(bytes.len())
}

fn fault(bytes: &[u8], offset: usize, message: String) -> InvalidJson {
    let before = bytes.get(..offset).unwrap_or(bytes);
    let line = before.split(|b| *b == b'\n').count();
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    InvalidJson { offset, line, column, message }
}

impl fmt::Debug for Payload {
    /// Shows the size only: payloads hold personal data and must not leak into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

impl Default for Payload {
    /// The JSON `null`.
    fn default() -> Self {
        Self(Bytes::from_static(b"null"))
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.as_str())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let bytes = Bytes::from(Box::<str>::from(raw).into_string());
        match too_deep(&bytes) {
            Some(_) => {
                Err(serde::de::Error::custom(format!("JSON is nested deeper than {DEPTH_MAX}")))
            }
            None => Ok(Self(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_stay_as_sent() {
        let text = r#" { "b": 1.50, "a": 9007199254740993, "b": "\u0041" } "#;
        let payload = Payload::parse(text.as_bytes().to_vec().into()).unwrap();
        assert_eq!(payload.as_str(), text);
        let json = serde_json::to_string(&serde_json::json!({ "n": 1 })).unwrap();
        assert_eq!(json, r#"{"n":1}"#);
        let wrapped = serde_json::to_string(&[&payload]).unwrap();
        assert!(
            wrapped.contains(r#""b": 1.50, "a": 9007199254740993, "b": "\u0041""#),
            "{wrapped}"
        );
    }

    #[test]
    fn elements_stay_as_sent() {
        let elements = |text: &'static str| {
            let payload = Payload::parse(text.into()).unwrap();
            payload.elements().map(|all| all.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        let found = elements(r#" [ {"b": 1.50, "a": 12345678901234567890123} ,[1, 2], "]" ] "#);
        let expected = [r#"{"b": 1.50, "a": 12345678901234567890123}"#, "[1, 2]", r#""]""#];
        assert_eq!(found.unwrap(), expected);
        assert_eq!(elements("[]"), Some(Vec::new()));
        assert_eq!(elements(r#"{"0": 1}"#), None);
        assert_eq!(elements("null"), None);
    }

    #[test]
    fn a_fault_is_told_with_its_place() {
        let error = Payload::parse(Bytes::from_static(b"{\n  \"a\": trux\n}")).unwrap_err();
        assert_eq!((error.line, error.offset), (2, 12), "{error}");
        assert!(Payload::parse(Bytes::from_static(b"{} {}")).is_err());
        assert!(Payload::parse(Bytes::from_static(b"\"\xff\"")).is_err());
        assert!(Payload::parse(Bytes::new()).is_err());
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Payload::parse(nested(DEPTH_MAX).into()).is_ok());
        let error = Payload::parse(nested(DEPTH_MAX + 1).into()).unwrap_err();
        assert_eq!(error.offset, DEPTH_MAX);
        assert!(Payload::parse("[".repeat(5_000_000).into()).is_err());
        assert!(Payload::parse(format!("\"{}\"", "[".repeat(1000)).into()).is_ok());
    }

    #[test]
    fn what_no_reader_can_represent_is_refused() {
        for bad in [r#""\ud800""#, r#"{"\udc00": 1}"#, "1e999", "[-1e400]"] {
            assert!(Payload::parse(bad.into()).is_err(), "{bad} was taken");
        }
        for good in [r#""\ud83d\ude00""#, "1e308", "123456789012345678901234567890", r#""\u0000""#]
        {
            assert!(Payload::parse(good.into()).is_ok(), "{good} was refused");
        }
    }

    #[test]
    fn whatever_is_accepted_can_be_read() {
        let deepest = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(Payload::parse(deepest.into()).unwrap().to_value().is_array());
    }

    proptest! {
        /// Whatever is accepted is what serde_json accepts, and comes back unchanged.
        #[test]
        fn accepts_what_serde_accepts(text in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,40}") {
            let ours = Payload::parse(text.clone().into());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            prop_assert_eq!(ours.is_ok(), theirs.is_ok());
            if let Ok(payload) = ours {
                prop_assert_eq!(payload.as_str(), text);
            }
        }
    }
}
