//! Whether one filter holds whenever another does. It must stay true that "yes" is proved, that "no" may mean "not
//! known", and that the work is bounded by the steps that the caller gives.

use crate::{
    Filter,
    filter::{Branch, Group, Leaf, Whole},
    lint::implies::implies,
    predicate::Predicate,
};

/// The comparisons that are left.
pub(super) struct Steps(pub(super) usize);

impl Steps {
    /// Whether so many may still be made; they then are.
    pub(super) fn take(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// Whether every event for which `one` holds is one for which `other` holds.
pub(super) fn filter(one: &Filter, other: &Filter, steps: &mut Steps) -> bool {
    let mut conditions = other.conditions.written();
    if !conditions.all(|wanted| one.conditions.written().any(|known| known == wanted)) {
        return false;
    }
    if other.branches.is_empty() {
        return true;
    }
    // A filter without a pattern holds for what the pattern of the other refuses.
    !one.branches.is_empty()
        && one
            .branches
            .iter()
            .all(|one| other.branches.iter().any(|other| branch(one, other, steps)))
}

/// Each group of the other is to follow from one group: only of one group do the values agree about array elements.
pub(super) fn branch(one: &Branch, other: &Branch, steps: &mut Steps) -> bool {
    other.groups.iter().all(|wanted| one.groups.iter().any(|known| group(known, wanted, steps)))
}

fn group(known: &Group, wanted: &Group, steps: &mut Steps) -> bool {
    let alone = wanted.leaves.len() == 1;
    wanted.leaves.iter().all(|wanted| {
        known.leaves.iter().any(|known| {
            steps.take(1) && known.path == wanted.path && leaf(known, wanted, alone, steps)
        })
    })
}

/// Whether every alternative of the one leads to an alternative of the other; `alone` when no other field has to agree
/// with this one about array elements.
fn leaf(known: &Leaf, wanted: &Leaf, alone: bool, steps: &mut Steps) -> bool {
    if known.any == wanted.any && known.whole == wanted.whole {
        return steps.take(known.any.len());
    }
    known.any.iter().all(|one| covered(one, &wanted.any, steps) || everywhere(one, wanted, steps))
        && known.whole.iter().all(|one| whole(one, wanted, alone, steps))
}

/// Whether one of the others follows.
pub(super) fn covered(one: &Predicate, others: &[Predicate], steps: &mut Steps) -> bool {
    steps.take(others.len()) && others.iter().any(|other| implies(one, other))
}

/// Whether a value that satisfies `one` is all that a question to all values wants.
fn everywhere(one: &Predicate, wanted: &Leaf, steps: &mut Steps) -> bool {
    wanted.whole.iter().any(|wanted| match wanted {
        Whole::AllOf(all) => steps.take(all.len()) && all.iter().all(|each| implies(one, each)),
        Whole::Absent | Whole::NoneOf(_) => false,
    })
}

fn whole(one: &Whole, wanted: &Leaf, alone: bool, steps: &mut Steps) -> bool {
    let follows = |other: &Whole| match (one, other) {
        (Whole::Absent, Whole::Absent | Whole::NoneOf(_)) => true,
        (Whole::NoneOf(known), Whole::NoneOf(wanted)) => {
            steps.take(known.len() * wanted.len())
                && wanted.iter().all(|wanted| known.iter().any(|known| implies(wanted, known)))
        }
        (Whole::AllOf(known), Whole::AllOf(wanted)) => {
            steps.take(known.len() * wanted.len())
                && wanted.iter().all(|wanted| known.iter().any(|known| implies(known, wanted)))
        }
        _ => false,
    };
    if wanted.whole.iter().any(follows) {
        return true;
    }
    match one {
        Whole::AllOf(known) if alone => {
            known.iter().any(|one| wanted.any.iter().any(|wanted| implies(one, wanted)))
        }
        _ => false,
    }
}
