//! What a field of a condition looks at, as plain paths: for whoever has to know who reads what.
//!
//! Pure, and bounded: a JSONPath of many selectors in a row would otherwise be a path for each combination.

use jsonpath_rust::parser::model::{
    Comparable, Filter, FilterAtom, FnArg, Segment, Selector, SingularQuery, SingularQuerySegment,
    Test, TestFunction,
};

use crate::{conditions::field::Field, regular::Budget};

/// Most paths of one field.
const PATHS_MAX: usize = 64;

/// A step of a path that a condition reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A member of an object.
    Name(String),
    /// A number of a dotted path: an item of an array, or a member of an object with this name.
    Number(String),
    /// An item of an array, whichever.
    Item,
    /// Every member of an object or item of an array.
    Each,
    /// Any number of steps into items of arrays that lie in each other, none included: an event pattern goes through them.
    Items,
    /// Any number of steps into members and items, none included.
    Descend,
}

type Path = Vec<Step>;

/// The paths that a field of a condition reads, each from the root of the document, sixty-four at most: for a dotted path
/// that one, for a JSONPath its own and those in its filters. None for a text that is no field.
pub fn reads(field: &str) -> Vec<Vec<Step>> {
    let mut reads = Reads { paths: Vec::new() };
    match Field::compile(field, &mut Budget::new()) {
        Ok(Field::Dotted(steps)) => {
            reads.paths.push(steps.iter().map(|step| dotted(step.name())).collect());
        }
        Ok(Field::JsonPath(path)) => reads.segments(path.segments(), vec![Vec::new()]),
        Err(_) => {}
    }
    reads.paths
}

fn dotted(name: &str) -> Step {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Step::Number(name.to_owned()) } else { Step::Name(name.to_owned()) }
}

struct Reads {
    paths: Vec<Path>,
}

impl Reads {
    /// Takes in where segments lead to from each of the starts.
    fn segments(&mut self, segments: &[Segment], starts: Vec<Path>) {
        let mut ends = starts;
        for segment in segments {
            ends = self.segment(segment, ends);
        }
        self.paths.extend(ends);
        self.paths.truncate(PATHS_MAX);
    }

    fn segment(&mut self, segment: &Segment, starts: Vec<Path>) -> Vec<Path> {
        match segment {
            Segment::Selector(one) => self.selector(one, &starts),
            Segment::Selectors(many) => {
                let mut ends = Vec::new();
                for one in many {
                    ends.extend(self.selector(one, &starts));
                    ends.truncate(PATHS_MAX);
                }
                ends
            }
            Segment::Descendant(inner) => {
                let starts = starts.iter().map(|start| then(start, Step::Descend)).collect();
                self.segment(inner, starts)
            }
        }
    }

    fn selector(&mut self, selector: &Selector, starts: &[Path]) -> Vec<Path> {
        let step = match selector {
            Selector::Name(name) => Step::Name(name.clone()),
            Selector::Index(_) | Selector::Slice(..) => Step::Item,
            Selector::Wildcard | Selector::Filter(_) => Step::Each,
        };
        let ends: Vec<Path> = starts.iter().map(|start| then(start, step.clone())).collect();
        if let Selector::Filter(filter) = selector {
            self.filter(filter, &ends);
        }
        ends
    }

    /// Takes in what a filter looks at of the values at these paths.
    fn filter(&mut self, filter: &Filter, current: &[Path]) {
        match filter {
            Filter::Or(parts) | Filter::And(parts) => {
                for part in parts {
                    self.filter(part, current);
                }
            }
            Filter::Atom(FilterAtom::Filter { expr, .. }) => self.filter(expr, current),
            Filter::Atom(FilterAtom::Test { expr, .. }) => self.test(expr, current),
            Filter::Atom(FilterAtom::Comparison(comparison)) => {
                let (left, right) = comparison.vals();
                self.comparable(left, current);
                self.comparable(right, current);
            }
        }
    }

    fn comparable(&mut self, side: &Comparable, current: &[Path]) {
        match side {
            Comparable::Literal(_) => {}
            Comparable::Function(call) => self.function(call, current),
            Comparable::SingularQuery(SingularQuery::Current(steps)) => {
                self.singular(steps, current);
            }
            Comparable::SingularQuery(SingularQuery::Root(steps)) => {
                self.singular(steps, &[Vec::new()]);
            }
        }
    }

    fn singular(&mut self, steps: &[SingularQuerySegment], starts: &[Path]) {
        let steps: Path = steps
            .iter()
            .map(|step| match step {
                SingularQuerySegment::Name(name) => Step::Name(name.clone()),
                SingularQuerySegment::Index(_) => Step::Item,
            })
            .collect();
        let ends = starts.iter().map(|start| [start.as_slice(), &steps].concat());
        self.paths.extend(ends);
        self.paths.truncate(PATHS_MAX);
    }

    fn test(&mut self, test: &Test, current: &[Path]) {
        match test {
            Test::RelQuery(segments) => self.segments(segments, current.to_vec()),
            Test::AbsQuery(query) => self.segments(&query.segments, vec![Vec::new()]),
            Test::Function(call) => self.function(call, current),
        }
    }

    fn function(&mut self, call: &TestFunction, current: &[Path]) {
        match call {
            TestFunction::Length(argument) => self.argument(argument, current),
            TestFunction::Value(argument) | TestFunction::Count(argument) => {
                self.argument(argument, current);
            }
            TestFunction::Search(one, other) | TestFunction::Match(one, other) => {
                self.argument(one, current);
                self.argument(other, current);
            }
            TestFunction::Custom(_, arguments) => {
                for argument in arguments {
                    self.argument(argument, current);
                }
            }
        }
    }

    fn argument(&mut self, argument: &FnArg, current: &[Path]) {
        match argument {
            FnArg::Literal(_) => {}
            FnArg::Test(test) => self.test(test, current),
            FnArg::Filter(filter) => self.filter(filter, current),
        }
    }
}

fn then(start: &Path, step: Step) -> Path {
    let mut path = start.clone();
    path.push(step);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A path as text: `#` is a number that may be a name, `[]` an item, `*` each, `..` any depth.
    fn shown(path: &[Step]) -> String {
        let step = |step: &Step| match step {
            Step::Name(name) => name.clone(),
            Step::Number(number) => format!("#{number}"),
            Step::Item => "[]".to_owned(),
            Step::Each => "*".to_owned(),
            Step::Items => "[*]".to_owned(),
            Step::Descend => "..".to_owned(),
        };
        path.iter().map(step).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn fields_say_what_they_read() {
        let table: &[(&str, &[&str])] = &[
            ("payload.from.tags", &["payload from tags"]),
            ("payload.items.0.sku", &["payload items #0 sku"]),
            ("$.payload.items[0].sku", &["payload items [] sku"]),
            ("$['payload']['a b']", &["payload a b"]),
            ("$.payload.items[1:3]", &["payload items []"]),
            ("$.payload.items[*].sku", &["payload items * sku"]),
            ("$..sku", &[".. sku"]),
            ("$.payload..x[0]", &["payload .. x []"]),
            ("$.payload['a','b'].c", &["payload a c", "payload b c"]),
            ("$.payload.items[?@.qty > 5].sku", &["payload items * qty", "payload items * sku"]),
            (
                "$.payload.items[?@.a.b == $.payload.want && !@.c]",
                &["payload items * a b", "payload want", "payload items * c", "payload items *"],
            ),
            (
                "$.payload[?count(@.x[*]) > length(@.y)].z",
                &["payload * x *", "payload * y", "payload * z"],
            ),
            ("$.payload[?match(@.x, 'a.*')]", &["payload * x", "payload *"]),
            ("$.payload[?@[?@.in == 1]].z", &["payload * * in", "payload * *", "payload * z"]),
            ("$", &[""]),
            ("$.[", &[]),
            ("", &[]),
        ];
        for (field, expected) in table {
            let found: Vec<String> = reads(field).iter().map(|path| shown(path)).collect();
            assert_eq!(found, *expected, "{field}");
        }
    }

    #[test]
    fn combinations_do_not_multiply() {
        let field = format!("$.payload{}", "['a','b']".repeat(300));
        assert!(Field::compile(&field, &mut Budget::new()).is_ok(), "such a field is accepted");
        assert!(reads(&field).len() <= PATHS_MAX);
        let filters = format!("$.payload{}", "[?@.a && @.b]".repeat(100));
        assert!(reads(&filters).len() <= PATHS_MAX);
    }
}
