//! The embedded backend keeps the contract of every backend.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    EmbeddedOptions, EventBus, Sync,
    conformance::{
        Suite, Time, consuming, lifecycle, ordering, publishing, reading, routing, settling,
        subscribing,
    },
};
use tempfile::TempDir;

fn place(sync: Sync) -> Suite {
    let directory = Arc::new(TempDir::new().unwrap());
    let time = Time::Manual(ManualClock::at_unix(1_800_000_000));
    Suite::new(time, move |clock| {
        let directory = Arc::clone(&directory);
        let options = EmbeddedOptions {
            sync,
            clock,
            random: Arc::new(Random::seeded(7)),
            ..EmbeddedOptions::default()
        };
        async move { EventBus::embedded(directory.path(), options).await.unwrap() }
    })
}

macro_rules! checks {
    ($($module:ident::$check:ident)*) => {
        $(#[tokio::test]
        async fn $check() {
            $module::$check(&place(Sync::EveryCommit)).await;
        })*
    };
}

omni_event_bus::for_every_check!(checks);

/// As a program that has its own backend would run it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_holds_with_several_threads_and_late_syncs() {
    let sync = Sync::Interval(std::time::Duration::from_millis(20));
    omni_event_bus::conformance::run_all(|| place(sync)).await;
}
