//! Raw JSON: the bytes of a payload exactly as they were sent.
//!
//! A payload is checked once, when it enters, and never parsed into a tree on its way: number text, key order and big
//! integers arrive as they left. Whoever needs a tree asks for one with [`Payload::to_value`].

use std::{borrow::Cow, collections::HashSet, fmt};

use bytes::Bytes;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Deepest nesting of arrays and objects that is accepted: the 128th level is where parsers downstream refuse, and
/// deeper documents overflow the stack of those that do not.
pub const DEPTH_MAX: usize = 127;
/// Objects with more names than this get a set of them; in smaller ones each name is compared with those before it.
const NAMES_COMPARED_MAX: usize = 16;
/// So much of a name is shown in a message, in characters.
const NAME_SHOWN_MAX: usize = 100;

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
    /// represent: half a surrogate pair, a number beyond a double. Such an event could not be shown to any rule. Also when
    /// an object has one name twice (RFC 7493, 2.3): readers disagree about which counts, so a rule would judge one and an
    /// action use the other.
    pub fn parse(bytes: Bytes) -> Result<Self, InvalidJson> {
        // The depth comes first: it is a scan without recursion, so no hostile document reaches a parser.
        if let Some(offset) = too_deep(&bytes) {
            return Err(fault(&bytes, offset, format!("JSON is nested deeper than {DEPTH_MAX}")));
        }
        let mut names = Names::default();
        match read(&bytes, &mut names) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) => {
                let mut offset = offset_of(&bytes, error.line(), error.column());
                let message = if let Some(name) = names.twice {
                    offset = opening_quote(&bytes, offset);
                    let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
                    format!("an object has the name `{}` twice", shown.escape_debug())
                } else {
                    let text = error.to_string();
                    text.split(" at line ").next().unwrap_or(&text).to_owned()
                };
                Err(fault(&bytes, offset, message))
            }
        }
    }

    /// Takes bytes that [`Payload::parse`] has checked before, or an earlier version of it that let a name be twice in one
    /// object: what is kept stays readable.
    ///
    /// # Errors
    /// When the bytes are no JSON, or nested deeper than [`DEPTH_MAX`]: then they are not what was kept.
    pub fn kept(bytes: Bytes) -> Result<Self, InvalidJson> {
        if let Some(offset) = too_deep(&bytes) {
            return Err(fault(&bytes, offset, format!("JSON is nested deeper than {DEPTH_MAX}")));
        }
        match serde_json::from_slice::<&RawValue>(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(error) => {
                let offset = offset_of(&bytes, error.line(), error.column());
                Err(fault(&bytes, offset, error.to_string()))
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

/// Reads a whole document without building a tree of it.
fn read<'de>(bytes: &'de [u8], names: &mut Names<'de>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Readable(names).deserialize(&mut deserializer)?;
    deserializer.end()
}

/// The names of the objects that are being read, the outer ones first.
#[derive(Default)]
struct Names<'de> {
    open: Vec<Cow<'de, str>>,
    /// The name that one object has twice, once that is found.
    twice: Option<Cow<'de, str>>,
}

/// A document that can be parsed into a tree, in which no object has a name twice; checks it without building one.
struct Readable<'n, 'de>(&'n mut Names<'de>);

impl<'de> DeserializeSeed<'de> for Readable<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Readable(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let names = self.0;
        let first = names.open.len();
        let mut many = HashSet::new();
        while let Some(Name(name)) = fields.next_key()? {
            let is_twice = if many.is_empty() {
                names.open[first..].contains(&name)
            } else {
                !many.insert(name.clone())
            };
            if is_twice {
                names.twice = Some(name);
                return Err(serde::de::Error::custom("a name is there twice"));
            }
            if many.is_empty() {
                names.open.push(name);
                if names.open.len() - first > NAMES_COMPARED_MAX {
                    many.extend(names.open.drain(first..));
                }
            }
            fields.next_value_seed(Readable(names))?;
        }
        names.open.truncate(first);
        Ok(())
    }
}

/// The name of a member, as it is once escapes are read.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AsName;
        impl<'de> Visitor<'de> for AsName {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(AsName)
    }
}

/// Where the string begins that ends just before or at an offset: at the nearest quote that is not escaped.
fn opening_quote(bytes: &[u8], offset: usize) -> usize {
    let before = bytes.get(..=offset).unwrap_or(bytes);
    // The backslashes are only counted before a quote: a hostile name may consist of nothing else.
    let is_quote = |at: usize| {
        let slashes = || bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        bytes[at] == b'"' && slashes() % 2 == 0
    };
    let mut quotes = (0..before.len()).rev().filter(|at| is_quote(*at));
    let closing = quotes.next().unwrap_or(offset);
    quotes.next().unwrap_or(closing)
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
        let text = r#" { "b": 1.50, "a": 9007199254740993, "c": "\u0041" } "#;
        let payload = Payload::parse(text.as_bytes().to_vec().into()).unwrap();
        assert_eq!(payload.as_str(), text);
        let json = serde_json::to_string(&serde_json::json!({ "n": 1 })).unwrap();
        assert_eq!(json, r#"{"n":1}"#);
        let wrapped = serde_json::to_string(&[&payload]).unwrap();
        assert!(
            wrapped.contains(r#""b": 1.50, "a": 9007199254740993, "c": "\u0041""#),
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

    /// With work for each backslash before each byte, this would run for minutes.
    #[test]
    fn a_name_of_backslashes_that_is_there_twice_is_found_at_once() {
        let name = r"\\".repeat(250_000);
        let text = format!(r#"{{"{name}":1,"{name}":2}}"#);
        let error = Payload::parse(text.into()).unwrap_err();
        assert_eq!(error.offset, name.len() + 6, "{}", error.offset);
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
    fn a_name_is_in_an_object_once() {
        for (text, name, offset) in [
            (r#"{"a": 1, "b": 2, "a": 3}"#, "a", 17),
            (r#"[{"a": {"b": 1, "b": 1}}]"#, "b", 16),
            (r#"{"a" : 1,"\u0061":2}"#, "a", 9),
            (r#"{"a\"\\": 1,   "a\"\\" : 2}"#, r#"a\"\\"#, 15),
            (r#"{"": 1, "": {}}"#, "", 8),
            ("{\"\n\": 1}", "", 0),
        ] {
            let error = Payload::parse(text.into()).unwrap_err();
            if offset > 0 {
                assert_eq!(error.offset, offset, "{text}: {error}");
                assert!(error.message.contains(&format!("`{name}` twice")), "{text}: {error}");
            }
            assert_eq!(Payload::kept(text.into()).is_ok(), offset > 0, "{text}");
        }
        for good in [r#"{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}"#, r#"{"a": 1, "A": 2}"#]
        {
            assert!(Payload::parse(good.into()).is_ok(), "{good} was refused");
        }
    }

    #[test]
    fn large_objects_are_looked_through_as_well() {
        let with = |count: usize, last: &str| {
            let names: Vec<String> =
                (0..count).map(|n| format!("\"n{n}\": {{\"x\": {n}}}, ")).collect();
            let names = names.concat();
            Payload::parse(format!("{{{names}\"{last}\": 1}}").into())
        };
        for count in [NAMES_COMPARED_MAX - 1, NAMES_COMPARED_MAX, NAMES_COMPARED_MAX + 1, 100_000] {
            assert!(with(count, "other").is_ok());
            for twice in ["n0".to_owned(), format!("n{}", count / 2), format!("n{}", count - 1)] {
                let error = with(count, &twice).unwrap_err();
                assert!(error.message.contains(&twice), "{error}");
            }
        }
    }

    #[test]
    fn whatever_is_accepted_can_be_read() {
        let deepest = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        assert!(Payload::parse(deepest.into()).unwrap().to_value().is_array());
    }

    proptest! {
        /// Whatever is accepted is what serde_json accepts, and comes back unchanged; a name twice is the one difference.
        #[test]
        fn accepts_what_serde_accepts(text in "[\\[\\]{}\",:0-9a-z\\\\ .-]{0,40}") {
            let ours = Payload::parse(text.clone().into());
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let is_twice = ours.as_ref().is_err_and(|error| error.message.ends_with(" twice"));
            prop_assert_eq!(ours.is_ok() || is_twice, theirs.is_ok());
            if let Ok(payload) = ours {
                prop_assert_eq!(payload.as_str(), text);
            }
        }
    }
}
