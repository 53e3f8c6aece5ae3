//! What every query of the store promises, run over both databases by the same functions.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod automations;
mod bus;
mod commit;
mod executions;
mod fixtures;
mod open;
mod read;
mod rest;

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both {
    ($($module:ident::$name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                crate::$module::$name(&omni_store::Store::temporary().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                let url = omni_store::testing::server_url();
                crate::$module::$name(&omni_store::Store::temporary_postgres(&url).await).await;
            })+
        }
    };
}

on_both! {
    commit::an_event_comes_back_as_it_went,
    commit::sequences_ascend_in_the_order_of_the_batch,
    commit::a_repeat_is_answered_like_the_first,
    commit::keys_of_others_do_not_meet,
    commit::an_expired_key_is_taken_over,
    commit::a_batch_that_is_sent_again_is_all_repeats,
    commit::an_id_of_another_tenant_is_a_conflict,
    commit::a_retired_writer_commits_nothing,
    commit::a_large_batch_is_answered_in_order,
    commit::one_of_many_concurrent_senders_wins,
    commit::what_was_received_is_kept,
    read::filters_select,
    read::pages_join_up,
    read::causes_are_followed_up,
    read::another_tenant_sees_nothing,
    read::unpublished_events_are_those_of_the_writer,
    read::a_watermark_never_goes_back,
    read::a_living_writer_is_not_retired,
    read::a_fenced_writer_leaves_its_events_to_others,
    bus::one_writer_heals_and_the_next_takes_over_when_it_dies,
    bus::what_has_no_outcome_is_found_in_order,
    bus::the_settled_part_ends_before_the_first_event_in_doubt,
    executions::a_second_commit_changes_nothing,
    executions::executions_are_listed_by_filter_and_page,
    executions::concurrent_commits_of_the_same_events_do_not_lock_each_other_out,
    automations::automations_keep_their_versions,
    automations::a_stale_update_is_refused,
    automations::a_taken_name_is_told,
    automations::every_change_moves_the_revision,
    rest::sources_live_and_die,
    rest::quarantine_is_bounded,
    rest::a_schema_grows_a_version_only_when_it_changes,
    rest::stats_count_one_tenant,
}
