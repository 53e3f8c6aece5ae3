//! What a reader asks of an object: which properties must be there, and what the declared ones hold.

use std::{collections::BTreeSet, rc::Rc};

use serde_json::{Value, json};

use super::{Difference, Guess, Pair, Place, Step, Walk};
use crate::compat::{
    instance::property,
    keywords::{is_open, named, strings},
    pattern, rules,
};

impl Walk<'_> {
    pub(super) fn object(&mut self, pair: &Pair<'_>, place: &Place) {
        self.required(pair, place);
        let shared = Rc::new(Value::Object(pair.writer.as_ref().clone()));
        for (name, asked) in named(pair.reader, "properties") {
            let mut inner = place.step(Step::Property(name.clone()), &shared, "properties", name);
            if let Some(origin) =
                self.origin((pair.written, 0), &place.writer, "properties", Some(name))
            {
                inner.writer = origin;
            }
            match pair.writer.get("properties").and_then(|all| all.get(name)) {
                Some(written) => self.pair(written, asked, &inner),
                None if is_open(asked) => {}
                None => self.undeclared(pair, name, asked, &inner),
            }
        }
        for (pattern, asked) in named(pair.reader, "patternProperties") {
            self.pattern(pair, &shared, (pattern, asked), place);
        }
        self.additional(pair, &shared, place);
    }

    fn required(&mut self, pair: &Pair<'_>, place: &Place) {
        let kept: BTreeSet<&str> = strings(&pair.writer, "required").collect();
        for name in strings(pair.reader, "required").filter(|name| !kept.contains(name)) {
            let rule = self.named("required.added", "required.removed");
            let what = self.named(
                "is required now and was not before; the new version refuses documents without it.",
                "is no longer required; the old version refuses documents without it.",
            );
            let path = if place.path.is_empty() {
                name.to_owned()
            } else {
                format!("{}.{name}", place.path)
            };
            let difference = Difference {
                rule: rule.to_owned(),
                message: format!("Property `{path}` {what}"),
                asked: json!({"required": [name]}),
                guess: Guess::Without(name.to_owned()),
            };
            let declares = |all: Option<&Value>| all.is_some_and(|all| all.get(name).is_some());
            let in_writer = declares(pair.writer.get("properties"));
            let in_reader = declares(pair.reader.get("properties"));
            // A property that is only named as required is shown at `required`.
            if in_reader || in_writer && rule == "required.removed" {
                let inner = place.within("properties");
                self.propose(&inner, Some((name, in_writer)), pair.written, difference);
            } else {
                self.propose(&place.within("required"), None, pair.written, difference);
            }
        }
    }

    /// A property that only the reader declares.
    fn undeclared(&mut self, pair: &Pair<'_>, name: &str, asked: &Value, inner: &Place) {
        let written = property(&pair.writer, name);
        if written == Value::Bool(false) {
            return;
        }
        let rule = self.named("property.added", "property.removed");
        let what = self.named(
            "is declared now; the old version let anything stand there, and the new one refuses some of it.",
            "is no longer declared; the new version lets anything stand there, and the old one refuses some of it.",
        );
        let difference = Difference {
            rule: rule.to_owned(),
            message: format!("Property `{}` {what}", inner.path),
            asked: asked.clone(),
            guess: Guess::None,
        };
        self.propose(inner, None, &written, difference);
    }

    fn pattern(
        &mut self,
        pair: &Pair<'_>,
        shared: &Rc<Value>,
        (text, asked): (&String, &Value),
        place: &Place,
    ) {
        const KEYWORD: &str = "patternProperties";
        let written = pair.writer.get(KEYWORD).and_then(|all| all.get(text));
        if let (Some(written), Some(name)) = (written, pattern::matching(text).into_iter().next()) {
            let inner = place.step(Step::Property(name), shared, KEYWORD, text);
            self.pair(written, asked, &inner);
        } else if !is_open(asked) {
            let what = format!("the schema of names like `{text}`");
            let subject = rules::subject(&place.path);
            let difference = Difference {
                rule: rules::of_keyword(KEYWORD, written, asked, self.direction),
                message: rules::sentence(&subject, &what, written, Some(asked), self.direction),
                asked: json!({KEYWORD: {text.as_str(): asked}}),
                guess: Guess::None,
            };
            let at = (text.as_str(), written.is_some());
            self.propose(&place.within(KEYWORD), Some(at), pair.written, difference);
        }
    }
}
