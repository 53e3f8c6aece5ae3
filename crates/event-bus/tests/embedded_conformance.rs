//! The embedded backend keeps the contract of every backend.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;

use omni_clock::{ManualClock, Random};
use omni_event_bus::{
    EmbeddedOptions, EventBus, Sync,
    conformance::{Suite, Time, consuming, lifecycle, publishing, settling},
};
use tempfile::TempDir;

fn place(sync: Sync) -> Suite {
    let directory = Arc::new(TempDir::new().unwrap());
    let time = Time::Manual(ManualClock::at_unix(1_800_000_000));
    Suite::new(time, move |clock| {
        let directory = Arc::clone(&directory);
        let options = EmbeddedOptions { sync, clock, random: Arc::new(Random::seeded(7)) };
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

checks! {
    publishing::sequences_ascend
    publishing::repeats_are_recognised
    publishing::unknown_domains_are_refused
    publishing::events_arrive_unchanged
    consuming::filters_select
    consuming::waiting_consumers_are_woken
    consuming::members_share
    consuming::consumers_are_independent
    consuming::consumers_start_where_asked
    consuming::in_flight_is_bounded
    consuming::a_backlog_comes_in_order
    settling::retries_wait
    settling::the_unsettled_comes_back
    settling::progress_extends_the_wait
    settling::late_acks_count
    settling::failures_end_as_dead_letters
    settling::silence_ends_as_dead_letter
    settling::the_rejected_is_dead_at_once
    lifecycle::consumers_resume
    lifecycle::an_idle_consumer_misses_nothing
    lifecycle::consumers_can_be_moved
    lifecycle::consumers_can_be_removed
    lifecycle::old_messages_are_removed
    lifecycle::drain_ends_everything
}

/// The list above may fall behind; this one is the suite's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_holds_with_several_threads_and_late_syncs() {
    let sync = Sync::Interval(std::time::Duration::from_millis(20));
    omni_event_bus::conformance::run_all(|| place(sync)).await;
}
