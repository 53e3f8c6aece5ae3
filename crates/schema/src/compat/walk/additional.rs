//! What a reader says about properties that it does not declare.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Difference, Guess, Pair, Place, Step, Walk};
use crate::compat::{
    instance::could_match,
    keywords::{Node, is_open, named},
    pattern, rules,
};

const KEYWORD: &str = "additionalProperties";

impl Walk<'_> {
    pub(super) fn additional(&mut self, pair: &Pair<'_>, shared: &Rc<Value>, place: &Place) {
        let (writer, reader) = (&pair.writer, pair.reader);
        let Some(asked) = reader.get(KEYWORD).filter(|asked| !is_open(asked)) else { return };
        let holds = |keyword: &str, name: &String| {
            reader.get(keyword).is_some_and(|all| all.get(name).is_some())
        };
        let reader_at = format!("{}/{KEYWORD}", place.reader);
        for (text, written) in named(writer, "patternProperties") {
            if !holds("patternProperties", text) && *written != json!(false) {
                let name = pattern::matching(text).into_iter().next().unwrap_or_default();
                let inner =
                    place.step(Step::Property(name.clone()), shared, "patternProperties", text);
                let inner = Place { reader: reader_at.clone(), ..inner };
                let rule = self.named("patternProperties.removed", "patternProperties.added");
                let subject =
                    format!("{}: properties named like `{text}`", rules::subject(&place.path));
                self.passed_by(pair, place, (&inner, name), (written, rule, &subject, "are"));
            }
        }
        for (name, written) in named(writer, "properties") {
            let declared = holds("properties", name)
                || named(reader, "patternProperties").any(|(text, _)| could_match(text, name));
            if !declared && *written != json!(false) {
                let inner = place.step(Step::Property(name.clone()), shared, "properties", name);
                let inner = Place { reader: reader_at.clone(), ..inner };
                let rule = self.named("property.removed", "property.added");
                let subject = rules::subject(&inner.path);
                self.passed_by(
                    pair,
                    place,
                    (&inner, name.clone()),
                    (written, rule, &subject, "is"),
                );
            }
        }
        let rest = writer.get(KEYWORD).or_else(|| writer.get("unevaluatedProperties"));
        self.undeclared_by_both(pair, shared, (rest, asked), place);
    }

    /// What the writer declares and the reader does not.
    fn passed_by(
        &mut self,
        pair: &Pair<'_>,
        place: &Place,
        (inner, name): (&Place, String),
        (written, rule, subject, verb): (&Value, &str, &str, &str),
    ) {
        let Some(asked) = pair.reader.get(KEYWORD) else { return };
        if *asked != json!(false) {
            self.pair(written, asked, inner);
            return;
        }
        let what = self.named("gone and the new version", "new and the old version");
        let difference = Difference {
            rule: rule.to_owned(),
            message: format!(
                "{subject} {verb} {what} refuses properties that it does not declare."
            ),
            asked: alone(pair.reader, asked),
            guess: Guess::With(name),
        };
        self.propose_of_writer(place, &inner.writer, pair.written, difference);
    }

    fn undeclared_by_both(
        &mut self,
        pair: &Pair<'_>,
        shared: &Rc<Value>,
        (rest, asked): (Option<&Value>, &Value),
        place: &Place,
    ) {
        if rest == Some(&json!(false)) {
            return;
        }
        if let Some(written) = rest.filter(|rest| rest.is_object() && !is_open(rest))
            && *asked != json!(false)
        {
            let inner = place.step(Step::Property("x".to_owned()), shared, KEYWORD, "");
            self.pair(written, asked, &inner);
            return;
        }
        let rule = if *asked == json!(false) {
            self.named("additionalProperties.closed", "additionalProperties.opened")
        } else {
            self.named("additionalProperties.narrowed", "additionalProperties.widened")
        };
        let subject = rules::subject(&place.path);
        let difference = Difference {
            rule: rule.to_owned(),
            message: rules::sentence(&subject, KEYWORD, rest, Some(asked), self.direction),
            asked: alone(pair.reader, asked),
            guess: Guess::With("x".to_owned()),
        };
        let at = (KEYWORD, pair.writer.contains_key(KEYWORD));
        self.propose(place, Some(at), pair.written, difference);
    }
}

/// What is asked of undeclared properties, and nothing of the declared ones.
fn alone(reader: &Node, asked: &Value) -> Value {
    let open = |keyword| -> Node {
        named(reader, keyword).map(|(name, _)| (name.clone(), Value::Bool(true))).collect()
    };
    json!({"properties": open("properties"), "patternProperties": open("patternProperties"), KEYWORD: asked})
}
