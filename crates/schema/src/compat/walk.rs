//! Walks what is written and what is read in step and names every place where the reader asks for more.
//!
//! What comes out is only proposed: a difference that no document can show is no break. It must stay true that the walk
//! ends: it does not enter the same pair of definitions twice, and it has fuel.

mod additional;
mod array;
mod facets;
mod object;
mod union;

use std::{collections::BTreeSet, rc::Rc};

use serde_json::{Value, json};

use super::{
    Direction,
    document::{CLOSED, PLACE, definition_name, reference_to},
    instance::Builder,
    keywords::{Node, escape, is_open, list, refers},
    policy::alias,
    rules,
};

/// Most pairs of schemas that are looked at.
const FUEL: usize = 20_000;
/// Most differences that are proposed; a schema with more of them is another schema.
const PROPOSED_MAX: usize = 200;
/// How deep a document is looked at; recursive types repeat themselves.
const DEPTH_MAX: usize = 40;

/// A difference that may break.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    /// Whether the pointer leads into the new schema, or into the old one.
    pub in_new: bool,
    /// Pointer into the compared form.
    pub pointer: String,
    pub rule: String,
    pub message: String,
    /// The way from the whole document to the value that is judged.
    pub way: Way,
    /// What the writer's schema says about that value.
    pub writer: Value,
    /// What the reader asks of it, that is said to be more.
    pub asked: Value,
    /// A document that may show it, before sets are asked.
    pub guess: Guess,
}

/// The steps from the whole document to a value, each with the writer's schema of the value that it starts from.
pub(super) type Way = Rc<Vec<(Step, Rc<Value>)>>;

#[derive(Clone, Debug)]
pub(super) enum Step {
    /// The same value, of which one branch of a union is meant.
    Here,
    Property(String),
    Item(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Guess {
    None,
    Without(String),
    With(String),
    /// With one more property whose name does not fit this schema.
    NotNamed(Value),
}

/// What the reader asks for that may be more.
struct Difference {
    rule: String,
    message: String,
    asked: Value,
    guess: Guess,
}

/// Where the walk is: in a document, for its readers, and in both schemas.
#[derive(Clone)]
struct Place {
    way: Way,
    path: String,
    writer: String,
    reader: String,
}

/// The walk over one pair of schemas in one direction.
struct Walk<'a> {
    writer: &'a Value,
    reader: &'a Value,
    direction: Direction,
    builder: Builder<'a>,
    /// What was held against which definition of the reader: the writer's schema as text, and a name.
    entered: BTreeSet<(String, String)>,
    fuel: usize,
    complete: bool,
    proposals: Vec<Proposal>,
}

/// What a walk came to.
pub(super) struct Walked {
    pub proposals: Vec<Proposal>,
    /// Whether the reader asks nothing but what the writer keeps and what is proposed. Then it is a proof that nothing
    /// breaks if none of the proposals does: the walk takes apart only what must hold together, and a pair of
    /// definitions that it does not enter again is supposed to hold one level deeper (induction on the depth of a
    /// document; a definition that reaches itself on one level is refused as a schema).
    pub complete: bool,
}

/// Every difference where the reader asks for more than the writer keeps.
pub(super) fn walk(writer: &Value, reader: &Value, direction: Direction) -> Walked {
    let mut walk = Walk {
        writer,
        reader,
        direction,
        builder: Builder::new(writer, 0),
        entered: BTreeSet::new(),
        fuel: FUEL,
        complete: true,
        proposals: Vec::new(),
    };
    // What refers to the whole schema leads back to where the walk begins.
    for place in [PLACE.to_owned(), format!("{PLACE}{CLOSED}")] {
        walk.entered.insert((reference_to(&place).to_string(), PLACE.to_owned()));
    }
    let root = Place {
        way: Way::default(),
        path: String::new(),
        writer: String::new(),
        reader: String::new(),
    };
    walk.pair(writer, reader, &root);
    Walked { proposals: walk.proposals, complete: walk.complete }
}

/// The two schemas of one value: the writer's with its references written into it.
struct Pair<'p> {
    written: &'p Value,
    writer: Rc<Node>,
    reader: &'p Node,
}

impl Walk<'_> {
    fn pair(&mut self, writer: &Value, reader: &Value, place: &Place) {
        if self.fuel == 0 || self.proposals.len() >= PROPOSED_MAX || place.way.len() > DEPTH_MAX {
            self.complete = false;
            return;
        }
        self.fuel -= 1;
        if is_open(reader) || *writer == Value::Bool(false) {
            return;
        }
        let Value::Object(node) = reader else {
            self.forbidden(writer, place);
            return;
        };
        if writer == reader && !refers(reader) {
            return;
        }
        let mut place = place.clone();
        if let Some(name) = writer.as_object().and_then(alias) {
            place.writer = format!("/$defs/{}", escape(&name));
        }
        if let Some(name) = node.get("$ref").and_then(Value::as_str).and_then(definition_name) {
            let target = self.reader.get("$defs").and_then(|all| all.get(&name));
            if let Some(target) = target
                && self.entered.insert((writer.to_string(), name.clone()))
            {
                let inner = Place { reader: format!("/$defs/{}", escape(&name)), ..place.clone() };
                self.pair(writer, target, &inner);
            }
        }
        let flat = writer.as_object().map_or_else(Node::new, |written| self.kept(written));
        let unevaluated = ["unevaluatedProperties", "unevaluatedItems"];
        self.complete &= !unevaluated.iter().any(|keyword| flat.contains_key(*keyword));
        let pair = Pair { written: writer, writer: Rc::new(flat), reader: node };
        self.object(&pair, &place);
        self.array(&pair, &place);
        self.parts(&pair, &place);
        for keyword in ["anyOf", "oneOf"] {
            if node.contains_key(keyword) {
                self.union(&pair, keyword, &place);
            }
        }
        self.facets(&pair, &place);
    }

    fn forbidden(&mut self, writer: &Value, place: &Place) {
        let rule = self.named("forbidden.added", "forbidden.removed");
        let subject = rules::subject(&place.path);
        let message = format!("{subject} may not be there; {}", rules::consequence(self.direction));
        let difference =
            Difference { rule: rule.to_owned(), message, asked: json!(false), guess: Guess::None };
        self.propose(place, None, writer, difference);
    }

    /// What the writer's schema says, with its parts put together. Keywords that mean something only next to each other
    /// are not mixed from several parts: they are those of the node itself.
    fn kept(&self, written: &Node) -> Node {
        const TOGETHER: [&str; 8] = [
            "if",
            "then",
            "else",
            "contains",
            "minContains",
            "maxContains",
            "prefixItems",
            "items",
        ];
        let mut flat = self.builder.flat(written, 0);
        let mut own = written;
        for _ in 0..DEPTH_MAX {
            let target =
                alias(own).and_then(|name| self.writer.get("$defs")?.get(&name)?.as_object());
            match target {
                Some(target) => own = target,
                None => break,
            }
        }
        let tuples = flat.contains_key("prefixItems");
        for keyword in TOGETHER.into_iter().filter(|keyword| tuples || *keyword != "items") {
            match own.get(keyword) {
                Some(value) => flat.insert(keyword.to_owned(), value.clone()),
                None => flat.remove(keyword),
            };
        }
        flat
    }

    /// One of two words: where the new version refuses, and where the old one does.
    fn named(&self, new_refuses: &'static str, old_refuses: &'static str) -> &'static str {
        match self.direction {
            Direction::Backward => new_refuses,
            Direction::Forward => old_refuses,
        }
    }

    /// Proposes what one keyword of the reader asks, which the writer has in another way or not at all.
    fn keyword(&mut self, pair: &Pair<'_>, place: &Place, changed: Changed<'_>) {
        let Changed { keyword, writer, reader, asked } = changed;
        let subject = rules::subject(&place.path);
        let difference = Difference {
            rule: rules::of_keyword(keyword, writer, reader, self.direction),
            message: rules::sentence(&subject, keyword, writer, Some(reader), self.direction),
            asked,
            guess: match keyword {
                "propertyNames" => Guess::NotNamed(reader.clone()),
                _ => Guess::None,
            },
        };
        let at = (keyword, pair.writer.contains_key(keyword));
        self.propose(place, Some(at), pair.written, difference);
    }

    /// The pointer to a keyword of the writer, in the part of its schema that says it.
    fn origin(
        &self,
        (written, depth): (&Value, usize),
        at: &str,
        keyword: &str,
        name: Option<&str>,
    ) -> Option<String> {
        let node = written.as_object()?;
        match (node.get(keyword), name) {
            (Some(all), Some(name)) if all.get(name).is_some() => {
                return Some(format!("{at}/{keyword}/{}", escape(name)));
            }
            (Some(_), None) => return Some(format!("{at}/{keyword}")),
            _ if depth > 8 => return None,
            _ => {}
        }
        let mut parts = list(node, "allOf").iter().enumerate();
        let in_part = parts.find_map(|(index, part)| {
            self.origin((part, depth + 1), &format!("{at}/allOf/{index}"), keyword, name)
        });
        in_part.or_else(|| {
            let to = definition_name(node.get("$ref")?.as_str()?)?;
            let target = self.writer.get("$defs")?.get(&to)?;
            self.origin((target, depth + 1), &format!("/$defs/{}", escape(&to)), keyword, name)
        })
    }

    /// Proposes a difference at a keyword, of which it is known whether the writer has it too.
    fn propose(
        &mut self,
        place: &Place,
        at: Option<(&str, bool)>,
        writer: &Value,
        difference: Difference,
    ) {
        let in_new =
            self.direction == Direction::Backward || at.is_some_and(|(_, in_writer)| in_writer);
        let base = match self.direction {
            Direction::Forward if in_new => &place.writer,
            _ => &place.reader,
        };
        let in_part = at
            .filter(|_| self.direction == Direction::Forward && in_new)
            .and_then(|(keyword, _)| self.origin((writer, 0), base, keyword, None));
        let pointer = in_part
            .or_else(|| at.map(|(keyword, _)| format!("{base}/{}", escape(keyword))))
            .unwrap_or_else(|| base.clone());
        self.propose_at(place, (&pointer, in_new), writer, difference);
    }

    /// Proposes what only the writer has, at its place there.
    fn propose_of_writer(
        &mut self,
        place: &Place,
        pointer: &str,
        writer: &Value,
        difference: Difference,
    ) {
        let in_new = self.direction == Direction::Forward;
        self.propose_at(place, (pointer, in_new), writer, difference);
    }

    fn propose_at(
        &mut self,
        place: &Place,
        (pointer, in_new): (&str, bool),
        writer: &Value,
        difference: Difference,
    ) {
        self.proposals.push(Proposal {
            in_new,
            pointer: pointer.to_owned(),
            rule: difference.rule,
            message: difference.message,
            way: Rc::clone(&place.way),
            writer: writer.clone(),
            asked: difference.asked,
            guess: difference.guess,
        });
    }
}

/// A keyword that the reader has, and the writer has in another way or not at all.
struct Changed<'c> {
    keyword: &'c str,
    writer: Option<&'c Value>,
    reader: &'c Value,
    asked: Value,
}

impl Place {
    /// The place of a child, of which the writer is given; the keyword that leads there is the same in both schemas.
    fn step(&self, step: Step, from: &Rc<Value>, keyword: &str, name: &str) -> Self {
        let pointer = |base: &str| match keyword {
            "items" | "additionalProperties" => format!("{base}/{keyword}"),
            _ => format!("{base}/{keyword}/{}", escape(name)),
        };
        let path = match &step {
            Step::Here => self.path.clone(),
            Step::Property(name) if self.path.is_empty() => name.clone(),
            Step::Property(name) => format!("{}.{name}", self.path),
            Step::Item(index) => format!("{}[{index}]", self.path),
        };
        let mut way = self.way.as_ref().clone();
        way.push((step, Rc::clone(from)));
        Self {
            way: Rc::new(way),
            path,
            writer: pointer(&self.writer),
            reader: pointer(&self.reader),
        }
    }

    /// The same place, inside a keyword of both schemas.
    fn within(&self, keyword: &str) -> Self {
        Self {
            writer: format!("{}/{keyword}", self.writer),
            reader: format!("{}/{keyword}", self.reader),
            ..self.clone()
        }
    }
}

fn refers_in(value: &Value) -> bool {
    match value {
        Value::Object(node) => node.contains_key("$ref") || node.values().any(refers_in),
        Value::Array(all) => all.iter().any(refers_in),
        _ => false,
    }
}
