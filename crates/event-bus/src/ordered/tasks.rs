//! The tasks of an ordered consumer: one pulls for its members, one keeps alive what is kept back.
//!
//! They end when the bus is closed or the consumer removed, and do not keep the bus open.

use std::sync::{Arc, Weak};

use super::Ordered;
use crate::{Health, bus::Shared, delivery::Member, group::Group, sleeping::sleep_until};

/// Pulls what members wait for, in a task of its own: a member that is not polled for a while must not hold up others.
pub(crate) async fn pull(shared: Weak<Shared>, group: Arc<Group>) {
    let (Some(ordered), Some(closing)) =
        (&group.ordered, shared.upgrade().map(|shared| shared.closing.clone()))
    else {
        return;
    };
    let mut demand = ordered.demand.subscribe();
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = group.forgotten.cancelled() => return,
            // The sender is in the group.
            _ = demand.wait_for(|demand| demand.open() > 0) => {}
        }
        let (max, moves) = {
            let demand = demand.borrow_and_update();
            (demand.open(), demand.moves)
        };
        let Some(shared) = shared.upgrade().filter(|_| max > 0) else { continue };
        // Before the backend looks for what is past its ack wait, however much time has passed at once.
        beat(&shared, &group, ordered).await;
        let beat = sleep_until(&*shared.clock, ordered.beat_at());
        let member = Member { shared, group: Arc::clone(&group) };
        let pulled = tokio::select! {
            // What comes first lets a pull be given up rather than finished.
            biased;
            _ = demand.wait_for(|demand| demand.open() == 0 || demand.moves != moves) => continue,
            () = beat => continue,
            pulled = member.pull(max) => pulled,
        };
        match pulled {
            Ok(pulled) => {
                let epoch = member.shared.backend.epoch(&group.config.name);
                // Before they are woken: what they want then is wanted anew.
                ordered.demand.send_modify(super::Demand::serve);
                ordered.offer(moves, epoch, pulled);
            }
            Err(no_more) => return ordered.end(no_more),
        }
    }
}

/// Keeps alive what is kept back.
pub(crate) async fn keep(shared: Weak<Shared>, group: Arc<Group>) {
    let (Some(ordered), Some((clock, closing))) = (
        &group.ordered,
        shared.upgrade().map(|shared| (Arc::clone(&shared.clock), shared.closing.clone())),
    ) else {
        return;
    };
    let mut at = clock.elapsed();
    loop {
        at += ordered.heartbeat;
        tokio::select! {
            () = closing.cancelled() => return,
            () = group.forgotten.cancelled() => return,
            () = sleep_until(&*clock, at) => {}
        }
        let Some(shared) = shared.upgrade() else { return };
        at = at.max(clock.elapsed());
        beat(&shared, &group, ordered).await;
        if *shared.backend.health().borrow() == Health::Up {
            ordered.miss(&group.config.name, clock.elapsed());
        }
    }
}

async fn beat(shared: &Shared, group: &Group, ordered: &Ordered) {
    let name = &group.config.name;
    let alive = ordered.beat(shared.backend.epoch(name), shared.clock.elapsed());
    if !alive.is_empty() {
        shared.settle(name, alive).await;
    }
}
