//! The keywords that judge a value itself: its type, bounds, patterns, conditions.

use serde_json::{Value, json};

use super::{Changed, Difference, Guess, Pair, Place, Walk, refers_in};
use crate::compat::{
    keywords::{Node, named},
    rules,
};

/// Keywords that mean something alone.
const ALONE: [&str; 21] = [
    "type",
    "enum",
    "const",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "not",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords that mean something next to each other, and the one without which the others mean nothing.
const GROUPS: [(&str, &[&str]); 2] =
    [("contains", &["contains", "minContains", "maxContains"]), ("if", &["if", "then", "else"])];

impl Walk<'_> {
    pub(super) fn facets(&mut self, pair: &Pair<'_>, place: &Place) {
        for keyword in ALONE {
            let Some(reader) = pair.reader.get(keyword) else { continue };
            let mut writer = pair.writer.get(keyword);
            // What is unevaluated depends on all that stands next to it.
            let unevaluated = keyword.starts_with("unevaluated");
            let asks_nothing = keyword == "uniqueItems" && *reader == json!(false);
            if asks_nothing || !unevaluated && writer == Some(reader) && !refers_in(reader) {
                continue;
            }
            let asked = if unevaluated {
                Value::Object(pair.reader.clone())
            } else {
                json!({keyword: reader})
            };
            if keyword == "enum" && writer.is_none() {
                writer = pair.writer.get("const");
            }
            self.keyword(pair, place, Changed { keyword, writer, reader, asked });
        }
        for (first, group) in GROUPS {
            self.group(pair, place, first, group);
        }
        for keyword in ["dependentRequired", "dependentSchemas"] {
            self.dependents(pair, place, keyword);
        }
    }

    fn group(&mut self, pair: &Pair<'_>, place: &Place, first: &str, group: &[&str]) {
        let asks = |node: &Node| -> Node {
            let said =
                group.iter().filter_map(|one| Some(((*one).to_owned(), node.get(*one)?.clone())));
            said.collect()
        };
        let (writer, reader) = (asks(&pair.writer), asks(pair.reader));
        let asked = Value::Object(reader.clone());
        if !reader.contains_key(first) || writer == reader && !refers_in(&asked) {
            return;
        }
        // Where only one of the group differs, that one is named.
        let mut differs = group.iter().filter(|one| writer.get(**one) != reader.get(**one));
        let keyword = match (differs.next(), differs.next()) {
            (Some(only), None) if reader.contains_key(*only) => only,
            _ => first,
        };
        let Some(value) = reader.get(keyword) else { return };
        let changed = Changed { keyword, writer: writer.get(keyword), reader: value, asked };
        self.keyword(pair, place, changed);
    }

    fn dependents(&mut self, pair: &Pair<'_>, place: &Place, keyword: &str) {
        for (name, reader) in named(pair.reader, keyword) {
            let writer = pair.writer.get(keyword).and_then(|all| all.get(name));
            if writer == Some(reader) && !refers_in(reader) {
                continue;
            }
            let what = format!("what `{name}` brings with it");
            let subject = rules::subject(&place.path);
            let difference = Difference {
                rule: rules::of_keyword(keyword, writer, reader, self.direction),
                message: rules::sentence(&subject, &what, writer, Some(reader), self.direction),
                asked: json!({keyword: {name: reader}}),
                guess: Guess::None,
            };
            let at = (name.as_str(), writer.is_some());
            self.propose(&place.within(keyword), Some(at), pair.written, difference);
        }
    }
}
