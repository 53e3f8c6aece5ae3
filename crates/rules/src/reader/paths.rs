//! The paths that rules ask for, as a tree that the reader walks beside the event.

use super::names::Names;

/// The number of a field in its [`Paths`], from 0 without gaps.
pub(crate) type FieldId = u32;

/// All paths that some rule asks for. Grows only, so that numbers stay valid.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// The first is the event itself.
    nodes: Vec<Node>,
    fields: u32,
}

/// A name somewhere in events.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// What is asked for in an object at this place.
    pub(super) names: Names,
    /// The number of this place, if it is asked for itself.
    pub(super) field: Option<FieldId>,
    /// Whether an array or object at this place is asked for, too.
    pub(super) containers: bool,
}

impl Default for Paths {
    fn default() -> Self {
        Self { nodes: vec![Node::default()], fields: 0 }
    }
}

impl Paths {
    /// The number of a path, which is new if it was not there. A field that is asked for with containers also yields a slot
    /// for an array or object that lies in no array. It has one number, with containers or without.
    pub(crate) fn add(&mut self, path: &[Box<str>], with_containers: bool) -> FieldId {
        let mut place = 0;
        for name in path {
            let name = name.as_bytes();
            place = match self.nodes[place].names.find(name, 0, name.len()) {
                Some((_, node)) => node as usize,
                None => self.grow(place, name),
            };
        }
        let node = &mut self.nodes[place];
        node.containers |= with_containers;
        *node.field.get_or_insert_with(|| {
            self.fields += 1;
            self.fields - 1
        })
    }

    /// The number of a path that was added, with containers if that is asked.
    pub(crate) fn get(&self, path: &[Box<str>], with_containers: bool) -> Option<FieldId> {
        let mut place = 0;
        for name in path {
            place = self.nodes[place].names.find(name.as_bytes(), 0, name.len())?.1 as usize;
        }
        let node = &self.nodes[place];
        node.field.filter(|_| node.containers || !with_containers)
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.fields as usize
    }

    #[inline]
    pub(super) fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    fn grow(&mut self, place: usize, name: &[u8]) -> usize {
        let new = self.nodes.len();
        self.nodes.push(Node::default());
        // A tree of more nodes would not fit into memory.
        self.nodes[place].names.add(name, u32::try_from(new).unwrap_or(u32::MAX));
        new
    }
}
