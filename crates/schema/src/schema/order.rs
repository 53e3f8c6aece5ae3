//! The order in which parts ask each other about one value, and that it has an end.

use super::{
    Unusable,
    graph::{Graph, InPlace},
};

/// Most parts that ask each other about the same value in a row: each of them is a step down the stack.
const CHAIN_MAX: usize = 32;

/// Parts before those that they ask about the same value.
pub(super) struct Order {
    /// The place of each part.
    pub(super) rank: Vec<usize>,
    /// The part of each place.
    pub(super) part: Vec<usize>,
    /// The longest row of parts that ask each other about one value.
    pub(super) chain: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Mark {
    New,
    Open,
    Done,
}

/// Puts the parts in order.
///
/// # Errors
/// When a part asks itself about the same value, or the row is too long.
pub(super) fn of(graph: &Graph<'_>) -> Result<Order, Unusable> {
    let parts = &graph.parts;
    let mut marks = vec![Mark::New; parts.len()];
    let mut chain = vec![1; parts.len()];
    let mut finished = Vec::with_capacity(parts.len());
    for start in 0..parts.len() {
        let mut open = if marks[start] == Mark::New { vec![(start, 0)] } else { Vec::new() };
        while let Some((part, next)) = open.pop() {
            marks[part] = Mark::Open;
            let Some(&(how, to)) = parts[part].in_place.get(next) else {
                marks[part] = Mark::Done;
                let longest = parts[part].in_place.iter().map(|(_, to)| chain[*to]).max();
                chain[part] = longest.unwrap_or(0) + 1;
                finished.push(part);
                continue;
            };
            open.push((part, next + 1));
            match marks[to] {
                Mark::New => open.push((to, 0)),
                Mark::Open => return Err(circular(graph, part, how)),
                Mark::Done => {}
            }
        }
    }
    let longest = (0..parts.len()).max_by_key(|part| chain[*part]).unwrap_or(0);
    if chain[longest] > CHAIN_MAX {
        return Err(Unusable {
            pointer: parts[longest].pointer.clone(),
            reason: format!(
                "passes the same value on through more than {CHAIN_MAX} schemas in a row; refer to the last one directly"
            ),
        });
    }
    finished.reverse();
    let mut rank = vec![0; parts.len()];
    for (place, part) in finished.iter().enumerate() {
        rank[*part] = place;
    }
    Ok(Order { rank, part: finished, chain: chain[longest] })
}

fn circular(graph: &Graph<'_>, part: usize, how: InPlace) -> Unusable {
    let pointer = &graph.parts[part].pointer;
    Unusable {
        pointer: if how == InPlace::Ref { format!("{pointer}/$ref") } else { pointer.clone() },
        reason: "comes back to itself without a step into the value, so it says nothing or never ends; put it under \
                 properties or items, or remove it"
            .to_owned(),
    }
}
