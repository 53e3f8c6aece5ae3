//! What looking at one event may cost, in steps of about ten nanoseconds. It must stay true that whatever an author
//! and a sender put together ends: everything that grows with the event or the expression is paid here first.

/// Steps of one list of conditions on one event: an event of a megabyte has at most half a million values, so a walk
/// over all of it always ends well, and what would take longer than a few walks is cut after some 20 ms.
pub(crate) const FUEL: usize = 2_000_000;

/// Bytes of text that are compared, searched or copied in one step.
const BYTES_PER_STEP: usize = 32;

/// The rule took more steps than an event may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the rule asks too much of this event: it was stopped after {FUEL} steps")]
pub(crate) struct Exhausted;

/// The steps that are left.
#[derive(Debug)]
pub(crate) struct Fuel(usize);

impl Fuel {
    pub(crate) fn new() -> Self {
        Self(FUEL)
    }

    /// So many steps, for a part of a larger task.
    pub(crate) fn of(steps: usize) -> Self {
        Self(steps)
    }

    /// Pays for what is done next.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), Exhausted> {
        let left = self.0.checked_sub(steps);
        // Nothing is left for smaller steps either: whoever asked too much is done.
        self.0 = left.unwrap_or(0);
        left.map(|_| ()).ok_or(Exhausted)
    }

    /// How many steps are left.
    pub(crate) fn left(&self) -> usize {
        self.0
    }

    /// Pays for going over so many bytes of text once.
    pub(crate) fn read(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spend(bytes / BYTES_PER_STEP)
    }
}
