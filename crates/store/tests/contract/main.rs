//! What every query of the store promises, run over both databases by the same functions.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod audit;
mod automations;
mod bus;
mod captures;
mod commit;
mod dead_letters;
mod executions;
mod explain;
mod fixtures;
mod jobs;
mod open;
mod quarantine;
mod read;
mod rest;
mod sample;
mod scheduled;
mod schedules;
mod schemas;
mod search;
mod trace;

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
    read::more_types_than_can_be_named_are_listed,
    explain::every_question_has_its_index,
    explain::a_busy_neighbour_is_passed_over,
    sample::a_type_is_read_newest_first_in_pieces_that_join_up,
    sample::large_payloads_come_few_at_once,
    sample::replays_and_expunged_payloads_are_told_apart,
    sample::a_sample_has_its_index,
    search::words_are_found,
    search::a_common_word_is_searched_in_stretches,
    read::causes_are_followed_up,
    read::another_tenant_sees_nothing,
    read::unpublished_events_are_those_of_the_writer,
    read::a_watermark_never_goes_back,
    read::a_living_writer_is_not_retired,
    read::a_fenced_writer_leaves_its_events_to_others,
    bus::one_writer_heals_and_the_next_takes_over_when_it_dies,
    bus::what_has_no_outcome_is_found_in_order,
    bus::the_settled_part_ends_before_the_first_event_in_doubt,
    jobs::a_job_goes_from_hand_to_hand_and_only_the_last_moves_it,
    jobs::a_cancelled_job_is_finished_by_who_has_it_or_who_finds_it,
    jobs::of_many_who_claim_one_gets_it,
    jobs::jobs_are_listed_newest_first_and_of_one_tenant,
    jobs::a_key_makes_one_job,
    executions::a_second_commit_changes_nothing,
    executions::executions_are_listed_by_filter_and_page,
    executions::concurrent_commits_of_the_same_events_do_not_lock_each_other_out,
    dead_letters::letters_are_listed_by_filter_and_page,
    dead_letters::a_letter_is_told_until_it_is_said_that_it_is,
    dead_letters::of_many_who_retry_a_letter_one_does,
    dead_letters::a_retry_is_due_sent_and_ended_in_this_order,
    dead_letters::a_retry_ends_once,
    dead_letters::a_closed_letter_stays_closed,
    dead_letters::a_page_of_a_job_is_begun_once,
    dead_letters::a_closed_letter_is_opened_by_a_later_failure_only,
    automations::automations_keep_their_versions,
    automations::a_stale_update_is_refused,
    automations::a_taken_name_is_told,
    automations::every_change_moves_the_revision,
    rest::sources_live_and_die,
    quarantine::of_each_source_the_newest_are_kept,
    quarantine::the_bytes_of_a_source_are_bounded,
    quarantine::a_page_goes_on_where_the_last_ended,
    quarantine::a_request_is_released_once,
    quarantine::another_tenant_finds_nothing,
    quarantine::what_is_old_is_purged_a_few_at_once,
    rest::stats_count_one_tenant,
    schemas::a_type_comes_back_as_it_was_put,
    schemas::a_change_of_what_has_moved_is_refused_whole,
    schemas::of_many_who_change_a_type_one_does,
    schemas::changes_are_read_in_their_order_with_the_newest_schema,
    schemas::who_follows_the_revisions_misses_no_change,
    schemas::purged_versions_are_gone_and_their_numbers_are_not_given_again,
    schemas::settings_are_set_and_replaced,
    scheduled::a_repeat_of_what_waits_is_answered_like_the_first,
    scheduled::what_is_due_is_taken_once_and_again_when_it_was_left,
    scheduled::of_many_replicas_one_takes_an_event,
    scheduled::a_cancelled_event_never_happens,
    scheduled::what_waits_is_listed_by_when_it_is_due,
    schedules::schedules_live_and_die,
    schedules::what_is_due_is_decided_once_and_moves,
    schedules::of_many_who_decide_one_does,
    schedules::only_who_has_a_fire_marks_it,
    schedules::many_fires_are_taken_by_one_each,
    schedules::what_waits_goes_when_the_work_is_done,
    schedules::a_purge_cancels_what_nobody_has_taken_up,
    schedules::a_backfill_gives_an_instant_one_fire,
    schedules::old_fires_are_forgotten,
    schedules::what_is_overdue_is_told_once,
    audit::events_are_counted_by_what_became_of_them,
    audit::what_the_bus_had_and_nobody_handled_is_found,
    audit::rows_without_their_event_are_found,
    trace::a_chain_is_read_upwards_and_level_by_level,
    captures::later_captures_are_numbered_by_stage,
    captures::what_has_expired_is_told_then_deleted_then_forgotten,
    captures::several_may_delete_at_once,
    captures::captures_are_deleted_by_hand_with_a_reason,
    captures::a_policy_is_set_replaced_and_deleted,
    captures::an_expunged_payload_is_gone_with_its_replays_and_captures,
    captures::expunging_again_takes_out_a_later_replay,
    captures::a_capture_never_survives_an_expunge,
    captures::keys_are_forgotten_a_few_at_once,
}
