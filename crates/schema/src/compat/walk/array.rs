//! What a reader asks of the items of an array.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Difference, Guess, Pair, Place, Step, Walk};
use crate::compat::{
    keywords::{is_open, list},
    rules,
};

impl Walk<'_> {
    pub(super) fn array(&mut self, pair: &Pair<'_>, place: &Place) {
        let shared = Rc::new(Value::Object(pair.writer.as_ref().clone()));
        let written = list(&pair.writer, "prefixItems");
        let asked = list(pair.reader, "prefixItems");
        let (written_rest, asked_rest) = (pair.writer.get("items"), pair.reader.get("items"));
        let longest = written.len().max(asked.len());
        for index in 0..longest {
            let position = index.to_string();
            let rest = place.step(Step::Item(index), &shared, "items", "");
            let mut inner = place.step(Step::Item(index), &shared, "prefixItems", &position);
            if index >= written.len() {
                inner.writer = rest.writer;
            }
            if index >= asked.len() {
                inner.reader = rest.reader;
            }
            let Some(read) = asked.get(index).or(asked_rest) else { continue };
            match written.get(index).or(written_rest) {
                Some(Value::Bool(false)) => {}
                Some(wrote) if *read == json!(false) => self.item_not_read(&inner, wrote),
                Some(wrote) => self.pair(wrote, read, &inner),
                None => self.item_only_read(&inner, read),
            }
        }
        let Some(read) = asked_rest else { return };
        let inner = place.step(Step::Item(longest), &shared, "items", "");
        match written_rest {
            Some(wrote) => self.pair(wrote, read, &inner),
            None => self.item_only_read(&inner, read),
        }
    }

    /// An item that only the writer declares, where the reader ends.
    fn item_not_read(&mut self, inner: &Place, wrote: &Value) {
        let rule = self.named("items.removed", "items.added");
        let what = self.named("gone and the new version", "new and the old version");
        let subject = rules::subject(&inner.path);
        let difference = Difference {
            rule: rule.to_owned(),
            message: format!("{subject} is {what} refuses items that it does not declare."),
            asked: json!(false),
            guess: Guess::None,
        };
        self.propose_of_writer(inner, &inner.writer, wrote, difference);
    }

    /// An item of which only the reader says something.
    fn item_only_read(&mut self, inner: &Place, read: &Value) {
        if is_open(read) {
            return;
        }
        let rule = if *read == json!(false) {
            self.named("items.closed", "items.opened").to_owned()
        } else {
            rules::of_keyword("items", None, read, self.direction)
        };
        let subject = rules::subject(&inner.path);
        let what = "the schema of the item";
        let difference = Difference {
            rule,
            message: rules::sentence(&subject, what, None, Some(read), self.direction),
            asked: read.clone(),
            guess: Guess::None,
        };
        self.propose(inner, None, &Value::Bool(true), difference);
    }
}
