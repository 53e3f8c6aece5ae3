//! What happens at an instant while the work on the fire before goes on.

use crate::Overlap;

/// What happens with a fire that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverlapDecision {
    /// It fires now.
    Fire,
    /// It never fires; it is kept as skipped.
    Skip,
    /// It stays pending until the work before it is done.
    Wait,
    /// It fires now, and no further action of the fire before begins.
    FireAndCancel,
}

/// Decides a fire that is due, from whether the work on the fire before goes on (`is_open`) and how many older fires
/// wait (`waiting`).
///
/// A fire that waits already is decided again with the older ones only, so that it never counts itself.
pub fn overlap(policy: Overlap, is_open: bool, waiting: u32) -> OverlapDecision {
    let is_free = !is_open && waiting == 0;
    match policy {
        Overlap::CancelOther if is_open => OverlapDecision::FireAndCancel,
        Overlap::AllowAll | Overlap::CancelOther => OverlapDecision::Fire,
        Overlap::Skip | Overlap::BufferOne | Overlap::BufferAll if is_free => OverlapDecision::Fire,
        Overlap::BufferOne if waiting == 0 => OverlapDecision::Wait,
        Overlap::BufferAll => OverlapDecision::Wait,
        Overlap::Skip | Overlap::BufferOne => OverlapDecision::Skip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_decides_as_its_name_says() {
        use OverlapDecision::{Fire, FireAndCancel, Skip, Wait};
        // Columns: nobody works and nobody waits; work goes on; work goes on and one waits; nobody works and one waits.
        let table = [
            (Overlap::AllowAll, [Fire, Fire, Fire, Fire]),
            (Overlap::Skip, [Fire, Skip, Skip, Skip]),
            (Overlap::BufferOne, [Fire, Wait, Skip, Skip]),
            (Overlap::BufferAll, [Fire, Wait, Wait, Wait]),
            (Overlap::CancelOther, [Fire, FireAndCancel, FireAndCancel, Fire]),
        ];
        for (policy, expected) in table {
            let states = [(false, 0), (true, 0), (true, 1), (false, 1)];
            let decided = states.map(|(is_open, waiting)| overlap(policy, is_open, waiting));
            assert_eq!(decided, expected, "{policy:?}");
        }
    }
}
