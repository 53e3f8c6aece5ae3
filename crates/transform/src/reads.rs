//! What a template looks at: for whoever has to know who reads what. Pure.

use crate::{
    expression::{Expression, Start},
    parse::Part,
    path,
    template::{Node, Template},
};

/// One place that a template reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read<'a> {
    /// JSON Pointer into the configuration, to the text that reads.
    pub pointer: &'a str,
    /// Where the path starts, one of [`ROOTS`](crate::ROOTS).
    pub root: &'static str,
    /// The steps from there.
    pub steps: Vec<Step<'a>>,
    /// The path as the author wrote it.
    pub text: &'a str,
}

/// A step of a path that a template reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// A member of an object.
    Name(&'a str),
    /// A number: an item of an array, or a member of an object with this name.
    Number(&'a str),
}

impl Template {
    /// Every place that the templates of the configuration read, in the order of the configuration.
    pub fn reads(&self) -> Vec<Read<'_>> {
        let mut reads = Vec::new();
        collect(self.root(), &mut reads);
        reads
    }
}

fn collect<'a>(node: &'a Node, reads: &mut Vec<Read<'a>>) {
    match node {
        Node::Constant(_) => {}
        Node::Whole(pointer, expression) => reads.extend(read(pointer, expression)),
        Node::Text(pointer, parts) => {
            reads.extend(parts.iter().filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Expression(expression) => read(pointer, expression),
            }));
        }
        Node::Array(nodes) => nodes.iter().for_each(|node| collect(node, reads)),
        Node::Object(nodes) => nodes.iter().for_each(|(_, node)| collect(node, reads)),
    }
}

fn read<'a>(pointer: &'a str, expression: &'a Expression) -> Option<Read<'a>> {
    let Start::Path(path) = &expression.start else { return None };
    let step = |step: &'a path::Step| match step {
        path::Step::Name(name) => Step::Name(name),
        path::Step::Number { written, .. } => Step::Number(written),
    };
    let steps = path.steps.iter().map(step).collect();
    Some(Read { pointer, root: path.root, steps, text: &path.written })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        Step::{Name, Number},
        *,
    };

    #[test]
    fn every_path_of_a_configuration_is_listed_with_its_place() {
        let template = Template::compile(&json!({
            "a": "{{ payload.from.tags }}",
            "b": ["plain", { "c/d": "{{payload.items[0].sku | default(\"x\")}} of {{ event.id }}" }],
            "e": "{{ \"{{\" }}",
            "f": 7,
        }))
        .unwrap();
        let reads = template.reads();
        let read = |pointer, root, steps: &[Step<'static>], text| Read {
            pointer,
            root,
            steps: steps.to_vec(),
            text,
        };
        let expected = [
            read("/a", "payload", &[Name("from"), Name("tags")], "payload.from.tags"),
            read(
                "/b/1/c~1d",
                "payload",
                &[Name("items"), Number("0"), Name("sku")],
                "payload.items[0].sku",
            ),
            read("/b/1/c~1d", "event", &[Name("id")], "event.id"),
        ];
        assert_eq!(reads, expected);
    }
}
