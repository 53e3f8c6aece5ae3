//! The subscriptions of a bus, for as long as they run.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use omni_clock::Clock;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Ended;

/// What a subscription is told, and what it tells.
#[derive(Debug)]
pub(crate) struct Control {
    pub(super) name: String,
    /// Take no more messages.
    pub(super) stop: CancellationToken,
    /// Wait for the handlers no longer.
    pub(super) give_up: CancellationToken,
    pub(super) ended: watch::Sender<Option<Ended>>,
}

impl Control {
    pub(super) fn new(name: String) -> Self {
        let (stop, give_up) = (CancellationToken::new(), CancellationToken::new());
        Self { name, stop, give_up, ended: watch::Sender::new(None) }
    }

    pub(super) async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        // The sender is in `self`, so it is not gone.
        ended
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|ended| *ended)
            .unwrap_or(Ended::Stopped)
    }
}

/// The subscriptions that run.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions(Mutex<Vec<Arc<Control>>>);

impl Subscriptions {
    fn all(&self) -> MutexGuard<'_, Vec<Arc<Control>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, control: &Arc<Control>) {
        self.all().push(Arc::clone(control));
    }

    pub(super) fn remove(&self, control: &Arc<Control>) {
        self.all().retain(|other| !Arc::ptr_eq(other, control));
    }

    /// Stops all of them; gives up the handlers that take longer than the grace, so that their messages come back.
    pub(crate) async fn stop(&self, clock: &dyn Clock, grace: Duration) {
        let all = self.all().clone();
        for control in &all {
            control.stop.cancel();
        }
        let ended = async {
            for control in &all {
                control.ended().await;
            }
        };
        tokio::pin!(ended);
        let late = clock.sleep(grace);
        tokio::select! {
            biased;
            () = &mut ended => return,
            () = late => {}
        }
        for control in all.iter().filter(|control| control.ended.borrow().is_none()) {
            tracing::warn!(consumer = control.name, ?grace, "handlers are given up at the drain");
            control.give_up.cancel();
        }
        ended.await;
    }
}
