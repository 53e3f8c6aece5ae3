//! Array consistency: whether values can be chosen, one for each leaf of a group, so that those in one array lie in the
//! same element of it. It must stay true that this takes time in proportion to the values that satisfy a leaf.
//!
//! From any place in the event, the path of a leaf leads to one array next. So all leaves with values below an array have
//! to be satisfied within one of its elements, and that is decided from the innermost elements outwards.

use crate::reader::{Context, ROOT, Values};

/// What is known of the elements of the event for one group; kept, so that nothing is allocated.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// The elements with values below them, and the event itself.
    elements: Vec<Context>,
    /// The same, the largest number first.
    sorted: Vec<Context>,
    /// By element: its place in that list, if that place is of this group.
    places: Vec<u32>,
    /// For each of them, which leaves have values in it or below it.
    below: Bits,
    /// For each of them, which leaves are satisfied when values are chosen in it.
    satisfied: Bits,
    /// The arrays with values below them, and by array its place.
    arrays: Vec<u32>,
    array_places: Vec<u32>,
    /// For each array, which leaves have values below it.
    of_array: Bits,
}

/// Rows of bits, one for each leaf of the group.
#[derive(Debug, Default)]
struct Bits {
    words: usize,
    rows: Vec<u64>,
}

impl Bits {
    fn begin(&mut self, words: usize) {
        self.words = words;
        self.rows.clear();
    }

    fn add_row(&mut self) {
        self.rows.resize(self.rows.len() + self.words, 0);
    }

    fn row(&self, row: u32) -> &[u64] {
        let start = row as usize * self.words;
        &self.rows[start..start + self.words]
    }

    /// Sets a bit; whether it was not set.
    fn set(&mut self, row: u32, bit: usize) -> bool {
        let word = &mut self.rows[row as usize * self.words + bit / 64];
        let before = *word;
        *word |= 1 << (bit % 64);
        *word != before
    }

    fn add(&mut self, row: u32, bits: &[u64]) {
        let start = row as usize * self.words;
        for (word, bits) in self.rows[start..].iter_mut().zip(bits) {
            *word |= bits;
        }
    }
}

impl Tree {
    /// Forgets the last group; this one has so many leaves.
    pub(crate) fn begin(&mut self, leaves: usize) {
        let words = leaves.div_ceil(64);
        self.elements.clear();
        self.arrays.clear();
        self.below.begin(words);
        self.satisfied.begin(words);
        self.of_array.begin(words);
        self.place(ROOT);
    }

    /// Takes in that a value in this context satisfies a leaf.
    pub(crate) fn add(&mut self, values: &Values, leaf: usize, context: Context) {
        let mut place = self.place(context);
        self.satisfied.set(place, leaf);
        let mut context = context;
        while self.below.set(place, leaf) {
            let Some((around, array, _)) = values.element(context) else { return };
            let array = self.array(array);
            self.of_array.set(array, leaf);
            context = around;
            place = self.place(around);
        }
    }

    /// Whether all leaves can be satisfied together.
    pub(crate) fn holds(&mut self, values: &Values, leaves: usize) -> bool {
        // An element has a larger number than those that it lies in.
        self.sorted.clear();
        self.sorted.extend_from_slice(&self.elements);
        self.sorted.sort_unstable_by(|a, b| b.cmp(a));
        for &context in &self.sorted {
            let Some((around, array, _)) = values.element(context) else { continue };
            let wanted = self.of_array.row(self.array_places[array as usize]);
            if self.satisfied.row(self.places[context as usize]) == wanted {
                self.satisfied.add(self.places[around as usize], wanted);
            }
        }
        let root = self.satisfied.row(0);
        root.iter().map(|word| word.count_ones() as usize).sum::<usize>() == leaves
    }

    fn place(&mut self, context: Context) -> u32 {
        let (place, is_new) = place(&mut self.elements, &mut self.places, context);
        if is_new {
            self.below.add_row();
            self.satisfied.add_row();
        }
        place
    }

    fn array(&mut self, array: u32) -> u32 {
        let (place, is_new) = place(&mut self.arrays, &mut self.array_places, array);
        if is_new {
            self.of_array.add_row();
        }
        place
    }
}

/// The place of a number in a list, and whether it was added. Places of another group may be left: they count only where
/// the list agrees.
fn place(list: &mut Vec<u32>, places: &mut Vec<u32>, number: u32) -> (u32, bool) {
    let at = number as usize;
    if places.len() <= at {
        places.resize(at + 1, 0);
    }
    if list.get(places[at] as usize) == Some(&number) {
        return (places[at], false);
    }
    places[at] = list.len() as u32;
    list.push(number);
    (places[at], true)
}
