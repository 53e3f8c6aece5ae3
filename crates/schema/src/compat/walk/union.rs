//! What a reader asks in branches: all of them, any of them, one of them.

use std::rc::Rc;

use serde_json::{Value, json};

use super::{Changed, Difference, Guess, Pair, Place, Step, Walk};
use crate::compat::{
    document::{AS_WRITTEN, CLOSED},
    instance::Builder,
    keywords::{Node, list, named, refers},
    policy::alias,
    rules,
    shape::{constant, tagged},
};

/// Most branches that are held against each other.
const BRANCHES_MAX: usize = 256;

impl Walk<'_> {
    /// The parts that must all fit.
    pub(super) fn parts(&mut self, pair: &Pair<'_>, place: &Place) {
        let parts = list(pair.reader, "allOf");
        let written = pair.written.as_object().map_or(&[][..], |node| list(node, "allOf"));
        let others = pair.reader.keys().any(|keyword| keyword != "allOf" && keyword != "$defs");
        for (index, part) in parts.iter().enumerate() {
            let inner =
                Place { reader: format!("{}/allOf/{index}", place.reader), ..place.clone() };
            // A part that both have is the same part, unless a definition behind it changed.
            let same = written.contains(part);
            if same && !refers(part) {
                continue;
            }
            if same || index < written.len() || parts.len() == 1 && !others {
                self.pair(pair.written, part, &inner);
                continue;
            }
            let rule = self.named("allOf.branch.added", "allOf.branch.removed");
            let what = self.named(
                "must also fit one more branch of allOf now",
                "need no longer fit a branch of allOf",
            );
            let message = format!(
                "{} {what}, {}; {}",
                rules::subject(&place.path),
                label(part, self.reader),
                rules::consequence(self.direction)
            );
            let asked = part.clone();
            let difference =
                Difference { rule: rule.to_owned(), message, asked, guess: Guess::None };
            self.propose(&inner, None, pair.written, difference);
        }
    }

    pub(super) fn union(&mut self, pair: &Pair<'_>, keyword: &str, place: &Place) {
        let Some(reader) = pair.reader.get(keyword) else { return };
        let read = list(pair.reader, keyword);
        let other = if keyword == "anyOf" { "oneOf" } else { "anyOf" };
        let written_by = if pair.writer.contains_key(keyword) { keyword } else { other };
        let written = list(&pair.writer, written_by);
        let asked = json!({keyword: reader});
        if written.is_empty() {
            self.keyword(pair, place, Changed { keyword, writer: None, reader, asked });
            return;
        }
        let before = self.proposals.len();
        for (index, branch) in written.iter().enumerate() {
            let step =
                place.step(Step::Here, &Rc::new(branch.clone()), written_by, &index.to_string());
            if let Some((partner, read)) = self
                .partner((index, branch), written, read)
                .and_then(|partner| Some((partner, read.get(partner)?)))
            {
                let inner =
                    Place { reader: format!("{}/{keyword}/{partner}", place.reader), ..step };
                self.pair(branch, read, &inner);
            } else {
                self.branch_not_read(&step, branch, keyword, &asked);
            }
        }
        let changed = keyword != written_by || written != read || read.iter().any(refers);
        if keyword == "oneOf" && changed && !self.exclusive(read) {
            // Each branch has a partner that takes it, but `oneOf` also asks that no other does.
            self.complete = false;
            if before == self.proposals.len() {
                let writer = pair.writer.get(written_by);
                self.keyword(pair, place, Changed { keyword, writer, reader, asked });
            }
        }
    }

    fn branch_not_read(&mut self, place: &Place, branch: &Value, keyword: &str, asked: &Value) {
        let rule = self.named("branch.removed", "branch.added");
        let what = self.named("lost a way to fit", "has one more way to fit");
        let message = format!(
            "{} {what}, {}; {}",
            rules::subject(&place.path),
            label(branch, self.writer),
            rules::consequence(self.direction)
        );
        let rule = format!("{keyword}.{rule}");
        let difference = Difference { rule, message, asked: asked.clone(), guess: Guess::None };
        self.propose_of_writer(place, &place.writer, branch, difference);
    }

    /// The reader's branch that a writer's branch belongs to.
    fn partner(
        &self,
        (index, branch): (usize, &Value),
        written: &[Value],
        read: &[Value],
    ) -> Option<usize> {
        let equal = |one: &Value, other: &Value| {
            one == other || name(one).is_some_and(|one| Some(one) == name(other))
        };
        if let Some(found) = read.iter().position(|one| equal(one, branch)) {
            return Some(found);
        }
        let tag = tags(branch, self.writer);
        if !tag.is_empty() {
            return read
                .iter()
                .position(|one| tags(one, self.reader).iter().any(|other| tag.contains(other)));
        }
        // The branches that are left on both sides belong together when they stand in the same place.
        let taken = |one: &Value| written.iter().any(|other| equal(one, other));
        let same_type = |one: &Value| kind(one, self.reader) == kind(branch, self.writer);
        let free =
            |position: usize| read.get(position).is_some_and(|one| !taken(one) && same_type(one));
        if free(index) && written.len() == read.len() {
            return Some(index);
        }
        let mut left = (0..read.len()).filter(|position| free(*position));
        let first = left.next()?;
        (left.next().is_none()
            && written
                .iter()
                .filter(|one| kind(one, self.writer) == kind(branch, self.writer))
                .count()
                == 1)
            .then_some(first)
    }

    /// Whether no value can fit two of the reader's branches.
    fn exclusive(&self, branches: &[Value]) -> bool {
        let builder = Builder::new(self.reader, 0);
        let flat: Vec<Node> = branches
            .iter()
            .filter_map(Value::as_object)
            .map(|branch| builder.flat(branch, 0))
            .collect();
        let apart = |one: &Node, other: &Node| match (one.get("type"), other.get("type")) {
            (Some(Value::String(one)), Some(Value::String(other))) if one != other => {
                ![one, other].iter().all(|kind| ["integer", "number"].contains(&kind.as_str()))
            }
            _ => tagged(&[one, other]),
        };
        flat.len() == branches.len()
            && flat.len() <= BRANCHES_MAX
            && flat
                .iter()
                .enumerate()
                .all(|(index, one)| flat.iter().skip(index + 1).all(|other| apart(one, other)))
    }
}

fn name(branch: &Value) -> Option<String> {
    let name = branch.as_object().and_then(alias)?;
    Some(name.trim_end_matches(CLOSED).trim_end_matches(AS_WRITTEN).to_owned())
}

fn kind(branch: &Value, root: &Value) -> Option<Value> {
    let node = branch.as_object()?;
    Builder::new(root, 0).flat(node, 0).get("type").cloned()
}

/// The constants that a branch demands of its properties: they tell it from the others.
fn tags(branch: &Value, root: &Value) -> Vec<(String, String)> {
    let Value::Object(node) = branch else { return Vec::new() };
    let flat = Builder::new(root, 0).flat(node, 0);
    named(&flat, "properties")
        .filter_map(|(name, one)| Some((name.clone(), constant(one)?.to_string())))
        .collect()
}

/// What a branch is called in a sentence.
fn label(branch: &Value, root: &Value) -> String {
    if let Some(name) = name(branch) {
        return format!("`{name}`");
    }
    let tags = tags(branch, root).into_iter().map(|(name, value)| format!("{name} = {value}"));
    let tags: Vec<String> = tags.collect();
    match (tags.is_empty(), kind(branch, root)) {
        (false, _) => format!("`{}`", tags.join(", ")),
        (true, Some(kind)) if kind != "object" => rules::quoted(&kind),
        _ => rules::quoted(branch),
    }
}
