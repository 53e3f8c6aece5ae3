//! What was read of one event; kept by whoever matches many, so that nothing is allocated for the next.

use super::{FieldId, Paths, Unreadable, walk};
use crate::predicate::Scalar;

/// Which array elements a value lies in: a node of a tree that grows with each element.
pub(crate) type Context = u32;

/// The context of what lies in no array.
pub(crate) const ROOT: Context = 0;

/// Stands for no place in a list.
const NONE: u32 = u32::MAX;

/// A value of a field: where it is and which elements it lies in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) context: Context,
    pub(super) kind: Kind,
    /// Within the event, or within the unescaped texts.
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number,
    /// As it stands in the event.
    Text,
    /// In the texts that were unescaped.
    Unescaped,
}

/// The values of the fields of one event.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// The fields that have something.
    found: Vec<FieldId>,
    /// By the number of the field.
    fields: Vec<Found>,
    /// Of all fields in the order of the event, each with the place of the next of its field.
    slots: Vec<(Slot, u32)>,
    /// Start and end of arrays and objects that are asked for themselves.
    containers: Vec<(u32, u32)>,
    /// Texts without their escapes, one behind the other.
    unescaped: Vec<u8>,
    /// The elements of all contexts but [`ROOT`], which is before the first.
    elements: Vec<(Context, u32, u32)>,
    arrays: u32,
    /// Which names the objects around the reader had so far, where that is more than one word holds.
    pub(super) seen: Vec<u64>,
}

/// What a field has, as places in lists.
#[derive(Debug, Clone, Copy)]
struct Found {
    first: u32,
    last: u32,
    container: u32,
}

const NOTHING: Found = Found { first: NONE, last: NONE, container: NONE };

impl Values {
    /// Forgets the last event and reads this one. Valid JSON is taken for granted in what is skipped. Of a repeated name the
    /// first counts.
    pub(crate) fn read(&mut self, paths: &Paths, event: &[u8]) -> Result<(), Unreadable> {
        self.forget();
        if self.fields.len() < paths.len() {
            self.fields.resize(paths.len(), NOTHING);
        }
        if event.len() >= NONE as usize {
            return Err(Unreadable { offset: 0, what: "it has more than four gigabytes" });
        }
        walk::read(paths, event, self)
    }

    /// The fields that have at least one value or container, in no order.
    pub(crate) fn fields(&self) -> &[FieldId] {
        &self.found
    }

    /// The scalar values of a field, in the order of the event: those of arrays at its place too, however nested.
    pub(crate) fn of(&self, field: FieldId) -> impl Iterator<Item = Slot> + '_ {
        let mut next = self.fields.get(field as usize).map_or(NONE, |found| found.first);
        std::iter::from_fn(move || {
            let (slot, after) = *self.slots.get(next as usize)?;
            next = after;
            Some(slot)
        })
    }

    /// The array or object itself that is the value of a field asked for with containers, as JSON text.
    pub(crate) fn container<'a>(&'a self, event: &'a [u8], field: FieldId) -> Option<&'a [u8]> {
        let found = self.fields.get(field as usize)?;
        let (start, end) = *self.containers.get(found.container as usize)?;
        event.get(start as usize..end as usize)
    }

    /// The value in a slot of this event.
    #[inline]
    pub(crate) fn scalar<'a>(&'a self, event: &'a [u8], slot: Slot) -> Scalar<'a> {
        let part =
            |of: &'a [u8]| of.get(slot.start as usize..slot.end as usize).unwrap_or_default();
        match slot.kind {
            Kind::Null => Scalar::Null,
            Kind::Bool(value) => Scalar::Bool(value),
            Kind::Number => Scalar::Number(part(event)),
            Kind::Text => Scalar::Text(part(event)),
            Kind::Unescaped => Scalar::Text(part(&self.unescaped)),
        }
    }

    /// The innermost array element of a context: the context around its array, which array of the event (a number that two
    /// elements share when they are of one array), and its place in it. `None` for [`ROOT`].
    pub(crate) fn element(&self, context: Context) -> Option<(Context, u32, u32)> {
        self.elements.get((context as usize).checked_sub(1)?).copied()
    }

    fn forget(&mut self) {
        for field in self.found.drain(..) {
            self.fields[field as usize] = NOTHING;
        }
        self.slots.clear();
        self.containers.clear();
        self.unescaped.clear();
        self.elements.clear();
        self.arrays = 0;
        self.seen.clear();
    }

    /// Adds a value.
    #[inline]
    pub(super) fn push(&mut self, field: FieldId, slot: Slot) {
        let new = self.slots.len() as u32;
        self.slots.push((slot, NONE));
        let found = &mut self.fields[field as usize];
        let last = std::mem::replace(&mut found.last, new);
        if let Some((_, next)) = self.slots.get_mut(last as usize) {
            *next = new;
            return;
        }
        found.first = new;
        if found.container == NONE {
            self.found.push(field);
        }
    }

    /// Adds a text that has escapes.
    pub(super) fn push_escaped(
        &mut self,
        field: FieldId,
        context: Context,
        text: &[u8],
    ) -> Option<()> {
        let start = self.unescaped.len();
        super::escape::unescape(text, &mut self.unescaped)?;
        let (start, end) = (start as u32, self.unescaped.len() as u32);
        self.push(field, Slot { context, kind: Kind::Unescaped, start, end });
        Some(())
    }

    /// Adds the array or object itself. Of a repeated name the first counts, so there is one at most.
    pub(super) fn keep(&mut self, field: FieldId, start: usize, end: usize) {
        let found = &mut self.fields[field as usize];
        found.container = self.containers.len() as u32;
        self.containers.push((start as u32, end as u32));
        if found.first == NONE {
            self.found.push(field);
        }
    }

    /// What `look` says of a name without its escapes; `None` when it cannot be unescaped.
    pub(super) fn with_name<R>(&mut self, name: &[u8], look: impl Fn(&[u8]) -> R) -> Option<R> {
        let start = self.unescaped.len();
        let plain = super::escape::unescape(name, &mut self.unescaped);
        let answer = plain.map(|()| look(&self.unescaped[start..]));
        self.unescaped.truncate(start);
        answer
    }

    /// The number of an array that begins.
    pub(super) fn array(&mut self) -> u32 {
        self.arrays += 1;
        self.arrays
    }

    /// The context of an element.
    #[inline]
    pub(super) fn enter(&mut self, around: Context, array: u32, place: u32) -> Context {
        self.elements.push((around, array, place));
        self.elements.len() as u32
    }
}
