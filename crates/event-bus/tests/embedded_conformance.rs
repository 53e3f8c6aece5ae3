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
    subscribing::handlers_run_side_by_side
    subscribing::failures_are_tried_again
    subscribing::handlers_decide_what_becomes_of_an_event
    subscribing::panics_and_nonsense_are_survived
    subscribing::slow_handlers_are_kept_alive
    subscribing::only_valid_events_are_handled
    subscribing::a_drain_finishes_handlers
    subscribing::a_removed_consumer_ends_its_subscription
    ordering::keys_go_one_at_a_time
    ordering::a_blocked_key_parks_alone
    ordering::what_is_parked_is_kept_alive
    ordering::a_dropped_message_comes_before_its_followers
    ordering::members_share_lanes
    ordering::order_outlives_a_restart
    ordering::moving_forgets_what_is_parked
    ordering::handlers_keep_the_order_of_each_key
    lifecycle::consumers_resume
    lifecycle::an_idle_consumer_misses_nothing
    lifecycle::consumers_can_be_moved
    lifecycle::consumers_can_be_removed
    lifecycle::old_messages_are_removed
    lifecycle::drain_ends_everything
    reading::pages_are_read
    reading::replays_merge_streams
    reading::replays_keep_their_bounds
    reading::replays_keep_their_rate
    reading::odd_replays_are_refused
    reading::the_identity_stays
    routing::open_consumers_find_routed_messages
    routing::other_consumers_find_routed_messages
    routing::replays_find_routed_messages
}

/// The list above may fall behind; this one is the suite's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_holds_with_several_threads_and_late_syncs() {
    let sync = Sync::Interval(std::time::Duration::from_millis(20));
    omni_event_bus::conformance::run_all(|| place(sync)).await;
}
