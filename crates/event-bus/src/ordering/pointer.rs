//! Finds one value in a JSON text by RFC 6901, without reading what comes after it or keeping what comes before.
//!
//! The text comes from a stranger: it must stay true that none panics, and that none costs more than one pass over it.

use std::{borrow::Cow, cell::Cell, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Deepest place a pointer may name; an event is not nested deeper than this.
const DEPTH_MAX: usize = 64;

/// A pointer, read.
#[derive(Debug)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    /// Reads a pointer such as `/payload/order/id`.
    pub(super) fn parse(pointer: &str) -> Result<Self, String> {
        let invalid = |reason| Err(format!("its ordering pointer `{pointer}` {reason}"));
        let Some(path) = pointer.strip_prefix('/') else {
            return invalid("does not begin with `/`, as in `/payload/id`");
        };
        if path.split('/').count() > DEPTH_MAX {
            return invalid("is deeper than 64 parts");
        }
        if path.replace("~0", "").replace("~1", "").contains('~') {
            return invalid("has a `~` that is followed by neither 0 nor 1");
        }
        Ok(Self(path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect()))
    }

    /// The text of the value there, if it is a string, a number or a boolean. Of two members of one name the first
    /// counts.
    pub(super) fn find<'a>(&self, json: &'a [u8]) -> Option<Cow<'a, str>> {
        let found = Cell::new(None);
        let walk = Walk { path: &self.0, found: &found };
        // It fails for everything that is not read to its end, so only what was found counts.
        let _ = walk.deserialize(&mut serde_json::Deserializer::from_slice(json));
        let text = found.get()?;
        match text.as_bytes().first()? {
            b'"' => read_string(text),
            b'{' | b'[' | b'n' => None,
            _ => Some(Cow::Borrowed(text)),
        }
    }
}

fn read_string(json: &str) -> Option<Cow<'_, str>> {
    if json.contains('\\') {
        return serde_json::from_str(json).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(json.strip_prefix('"')?.strip_suffix('"')?))
}

/// Goes down the path, and leaves the text that it finds at the end of it.
#[derive(Clone, Copy)]
struct Walk<'p, 'de> {
    path: &'p [String],
    found: &'p Cell<Option<&'de str>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.path.is_empty() {
            self.found.set(Some(<&RawValue>::deserialize(deserializer)?.get()));
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array on the way")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((name, path)) = self.path.split_first() else { return Ok(()) };
        while let Some(wanted) = map.next_key_seed(Is(name))? {
            if wanted {
                return map.next_value_seed(Walk { path, ..self });
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((index, path)) = self.path.split_first() else { return Ok(()) };
        let plain = index == "0" || !index.starts_with(['0', '+']);
        let Some(index) = index.parse::<usize>().ok().filter(|_| plain) else { return Ok(()) };
        for _ in 0..index {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        seq.next_element_seed(Walk { path, ..self }).map(|_| ())
    }
}

/// Reads the name of a member, and says whether it is this one.
struct Is<'n>(&'n str);

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
    use proptest::prelude::*;

    use super::*;

    fn find(pointer: &str, json: &str) -> Option<String> {
        Pointer::parse(pointer).unwrap().find(json.as_bytes()).map(Cow::into_owned)
    }

    #[test]
    fn values_are_found() {
        let json =
            r#"{"a":[{"b":1},{"b":[true,"x\u0041\"","é"]}],"":2.50,"m~n":{"/":"s"},"o":null}"#;
        let cases = [
            ("/a/0/b", Some("1")),
            ("/a/1/b/0", Some("true")),
            ("/a/1/b/1", Some("xA\"")),
            ("/a/1/b/2", Some("é")),
            ("/", Some("2.50")),
            ("/m~0n/~1", Some("s")),
            ("/o", None),
            ("/a", None),
            ("/a/0", None),
            ("/a/2/b", None),
            ("/a/00/b", None),
            ("/a/+0/b", None),
            ("/a/-", None),
            ("/a/0/b/c", None),
            ("/nothing", None),
        ];
        for (pointer, expected) in cases {
            assert_eq!(find(pointer, json).as_deref(), expected, "{pointer}");
        }
    }

    #[test]
    fn what_is_broken_has_no_key_unless_it_breaks_later() {
        assert_eq!(find("/a", r#"{"a":1,"#).as_deref(), Some("1"));
        for broken in ["", "{", "7", r#"{"b":}"#, r#"{"a":"#, "\u{0}"] {
            assert_eq!(find("/a", broken), None, "{broken}");
        }
    }

    #[test]
    fn pointers_that_lead_nowhere_are_refused() {
        let deep = "/a".repeat(65);
        for bad in ["", "a", "payload/id", "/a~", "/a~2", deep.as_str()] {
            assert!(Pointer::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Whatever the bytes, there is an answer.
        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Pointer::parse("/a/0").unwrap().find(&bytes);
        }

        /// It finds what a full reader finds.
        #[test]
        fn it_agrees_with_a_full_reader(
            before in "[a-z\"\\\\é]{0,8}", name in "[a-z~/\"]{0,4}", value in "[a-z\"\\\\é\n]{0,8}",
        ) {
            let json = serde_json::json!({ "0": before, "p": { "0": [before], &name: value } }).to_string();
            let pointer = format!("/p/{}", name.replace('~', "~0").replace('/', "~1"));
            let whole: serde_json::Value = serde_json::from_str(&json).unwrap();
            let expected = whole.pointer(&pointer).and_then(|v| v.as_str()).map(str::to_owned);
            prop_assert_eq!(find(&pointer, &json), expected);
        }
    }
}
