//! Which of many filters hold for an event, without asking each. It must stay true that the answer is that of
//! [`Filter::explain`](crate::Filter::explain) for every filter and event.
//!
//! A filter becomes conjunctions of leaves. Each conjunction is filed under the leaf that fires least, its pivot; a field
//! has an index of its pivots for each kind of predicate. An event is read once; the pivots that its values hit name the
//! candidates; their other leaves are asked directly, each once an event, and last whether they agree within arrays.

mod affix;
mod anchored;
mod build;
mod exact;
mod field;
mod fields;
mod folded;
mod head;
mod intern;
mod leaf;
mod literal;
mod networks;
mod numbers;
mod pivots;
mod ranges;
mod run;
mod scratch;
mod segment;
mod together;
mod trigger;

use std::{fmt, sync::Arc};

pub use self::scratch::Scratch;
pub(crate) use self::{
    build::{Builder, Older},
    fields::Fields,
    run::{FUEL_PER_RULE, Run, fuel},
    scratch::Work,
    segment::Segment,
};
use crate::{filter::Filter, reader::Unreadable};

/// Filters that are asked together; for those who have no organisations and types, and no changes. See
/// [`Rules`](crate::Rules) for those who have.
pub struct Matcher<T> {
    fields: Arc<Fields>,
    segment: Segment,
    items: Box<[T]>,
}

/// The filters that hold for an event.
#[derive(Debug)]
pub struct Matched<'a, T> {
    items: &'a [T],
    found: &'a [u32],
    undecided: &'a [u32],
}

impl<T> Matcher<T> {
    /// Builds an index of filters, each with what the caller wants back. It keeps its own form of them: who has many and
    /// compiles them one by one needs less memory with [`FromIterator`].
    pub fn build(filters: Vec<(Filter, T)>) -> Self {
        filters.into_iter().collect()
    }

    /// The filters that hold for the event, as its bytes. Nothing is allocated once the scratch has grown to its size,
    /// except for conditions with JSONPath or on arrays and objects as a whole.
    ///
    /// # Errors
    ///
    /// When the event is not a JSON object.
    pub fn matching<'a>(
        &'a self,
        event: &[u8],
        scratch: &'a mut Scratch,
    ) -> Result<Matched<'a, T>, Unreadable> {
        let Scratch { values, marks, work } = scratch;
        work.begin();
        values.read(&self.fields.paths, event)?;
        let left = fuel(event, self.segment.len());
        Run { segment: &self.segment, event, values, marks, work, left }.run(|_, _| true);
        work.settle(marks);
        Ok(Matched { items: &self.items, found: &work.found, undecided: &work.undecided })
    }

    /// How many filters there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T> FromIterator<(Filter, T)> for Matcher<T> {
    /// As [`Matcher::build`]; each filter is dropped before the next is taken, unless it has conditions with JSONPath.
    fn from_iter<I: IntoIterator<Item = (Filter, T)>>(filters: I) -> Self {
        let mut fields = Arc::new(Fields::default());
        let mut builder = Builder::new(&mut fields);
        let mut items = Vec::new();
        for (filter, item) in filters {
            builder.add(&Arc::new(filter));
            items.push(item);
        }
        let segment = builder.finish();
        Self { fields, segment, items: items.into() }
    }
}

impl<'a, T> Matched<'a, T> {
    /// The items of the filters that hold, in the order in which they were given.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &'a T> + use<'a, T> {
        let items = self.items;
        self.found.iter().map(move |number| &items[*number as usize])
    }

    /// The items of filters that could not be decided within the limits of work, and therefore do not hold.
    pub fn undecided(&self) -> impl ExactSizeIterator<Item = &'a T> + use<'a, T> {
        let items = self.items;
        self.undecided.iter().map(move |number| &items[*number as usize])
    }
}

impl<T> fmt::Debug for Matcher<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("len", &self.len()).finish_non_exhaustive()
    }
}
