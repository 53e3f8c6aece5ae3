//! How many messages are waited for: what the pulling task goes by.

use tokio::sync::watch;

/// What is wanted.
#[derive(Debug, Default)]
pub(super) struct Demand {
    /// How many messages members wait for.
    pub(super) wanted: usize,
    /// How often something was brought; those who still want something say so again.
    round: u64,
    /// How often the consumer was moved: what was pulled before is not wanted any more.
    pub(super) moves: u64,
    /// How many moves are going on; meanwhile nothing is pulled.
    pub(super) moving: usize,
}

impl Demand {
    /// How many to pull now.
    pub(super) fn open(&self) -> usize {
        if self.moving == 0 { self.wanted } else { 0 }
    }

    /// Something was brought.
    pub(super) fn serve(&mut self) {
        self.wanted = 0;
        self.round += 1;
    }
}

/// Somebody waits for some messages.
#[derive(Debug)]
pub(crate) struct Want<'a> {
    demand: &'a watch::Sender<Demand>,
    count: usize,
    round: u64,
}

impl<'a> Want<'a> {
    pub(super) fn new(demand: &'a watch::Sender<Demand>, count: usize) -> Self {
        let mut round = 0;
        demand.send_modify(|demand| {
            demand.wanted = demand.wanted.saturating_add(count);
            round = demand.round;
        });
        Self { demand, count, round }
    }
}

impl Drop for Want<'_> {
    fn drop(&mut self) {
        self.demand.send_if_modified(|demand| {
            let open = demand.round == self.round;
            if open {
                demand.wanted = demand.wanted.saturating_sub(self.count);
            }
            open
        });
    }
}
