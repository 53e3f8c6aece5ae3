//! The tables as diesel sees them; `migrations/` is where they are made, and the two must agree.

use diesel::{allow_tables_to_appear_in_same_query, table};

table! {
    omni_migrations (version) {
        version -> Text,
    }
}

table! {
    counters (name) {
        name -> Text,
        value -> BigInt,
    }
}

table! {
    omni_events (sequence) {
        sequence -> BigInt,
        id -> Uuid,
        org -> Text,
        event_type -> Text,
        source -> Text,
        occurred_at -> Timestamptz,
        received_at -> Timestamptz,
        payload -> Binary,
        schema_version -> Nullable<Integer>,
        channel_type -> Nullable<Text>,
        instance_id -> Nullable<Text>,
        correlation_id -> Nullable<Text>,
        causation_id -> Nullable<Uuid>,
        traceparent -> Nullable<Text>,
        hops -> Integer,
        priority -> Nullable<Text>,
        triggered_by -> Nullable<Text>,
        idempotency_key -> Nullable<Text>,
        replay_of -> Nullable<Uuid>,
        replay -> Nullable<Text>,
        provider -> Nullable<Text>,
        provider_event_id -> Nullable<Text>,
        direction -> Nullable<Text>,
        sender_identity_id -> Nullable<Uuid>,
        sender_handle -> Nullable<Text>,
        recipient_identity_id -> Nullable<Uuid>,
        recipient_handle -> Nullable<Text>,
        content_type -> Nullable<Text>,
        content_text -> Nullable<Text>,
        content_media_url -> Nullable<Text>,
        extra -> Nullable<Text>,
        writer -> BigInt,
    }
}

// Only on SQLite: PostgreSQL has an index of words on the column itself.
table! {
    event_texts (rowid) {
        rowid -> BigInt,
        org -> Text,
        content_text -> Text,
    }
}

table! {
    event_payloads (event_id, stage, part) {
        event_id -> Uuid,
        stage -> Text,
        part -> Integer,
        org -> Text,
        content_type -> Nullable<Text>,
        headers -> Text,
        body -> Nullable<Binary>,
        size -> BigInt,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
        deleted_reason -> Nullable<Text>,
    }
}

table! {
    capture_policies (org, event_type) {
        org -> Text,
        event_type -> Text,
        policy -> Text,
        updated_at -> Timestamptz,
    }
}

table! {
    event_expunges (event_id) {
        event_id -> Uuid,
        org -> Text,
        reason -> Text,
        expunged_at -> Timestamptz,
    }
}

table! {
    dead_letters (id) {
        id -> Uuid,
        org -> Text,
        event_id -> Uuid,
        event_type -> Text,
        consumer -> Text,
        automation_id -> Nullable<Uuid>,
        version -> Nullable<Integer>,
        attempts -> Integer,
        errors -> Text,
        message -> Nullable<Binary>,
        status -> Text,
        retries -> Integer,
        next_retry_at -> Nullable<Timestamptz>,
        retry_event_id -> Nullable<Uuid>,
        note -> Nullable<Text>,
        changed_by -> Nullable<Text>,
        dead_at -> Timestamptz,
        changed_at -> Timestamptz,
        told -> Bool,
    }
}

table! {
    jobs (id) {
        id -> Uuid,
        org -> Text,
        kind -> Text,
        spec -> Text,
        status -> Text,
        total -> Nullable<BigInt>,
        done -> BigInt,
        failed -> BigInt,
        position -> Nullable<Text>,
        error -> Nullable<Text>,
        epoch -> BigInt,
        lease_until -> Nullable<Timestamptz>,
        created_by -> Nullable<Text>,
        created_at -> Timestamptz,
        changed_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
    }
}

table! {
    scheduled_events (id) {
        id -> Uuid,
        org -> Text,
        event_type -> Text,
        due_at -> Timestamptz,
        event -> Binary,
        status -> Text,
        created_at -> Timestamptz,
        changed_at -> Timestamptz,
    }
}

table! {
    event_outcomes (event_id) {
        event_id -> Uuid,
        org -> Text,
        status -> Text,
        retry_count -> Integer,
        processed_at -> Timestamptz,
        executions -> Integer,
        error -> Nullable<Text>,
        received_at -> Timestamptz,
    }
}

table! {
    outbox_writers (id) {
        id -> BigInt,
        name -> Text,
        published_through -> BigInt,
        heartbeat_at -> Timestamptz,
        fenced -> Bool,
    }
}

table! {
    bus (id) {
        id -> BigInt,
        identity -> Text,
        settled_through -> BigInt,
        healer -> Nullable<BigInt>,
        letters_through -> Timestamptz,
    }
}

table! {
    dedupe_keys (org, scope, key) {
        org -> Text,
        scope -> Text,
        key -> Text,
        body_hash -> Binary,
        event_id -> Uuid,
        sequence -> BigInt,
        expires_at -> Timestamptz,
    }
}

table! {
    sources (id) {
        id -> Uuid,
        org -> Text,
        name -> Text,
        version -> Integer,
        enabled -> Bool,
        definition -> Text,
        sealed_secret -> Nullable<Binary>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Text>,
    }
}

table! {
    webhook_quarantine (id) {
        id -> Uuid,
        org -> Text,
        source -> Text,
        code -> Text,
        reason -> Text,
        method -> Nullable<Text>,
        path -> Nullable<Text>,
        content_type -> Nullable<Text>,
        headers -> Text,
        body -> Binary,
        sealed_head -> Nullable<Binary>,
        sealed_body -> Nullable<Binary>,
        size -> BigInt,
        remote -> Nullable<Text>,
        received_at -> Timestamptz,
        status -> Text,
        event_ids -> Nullable<Text>,
        forced -> Bool,
        note -> Nullable<Text>,
        released_at -> Nullable<Timestamptz>,
    }
}

table! {
    event_schemas (org, event_type, version) {
        org -> Text,
        event_type -> Text,
        version -> Integer,
        schema -> Text,
        created_by -> Nullable<Text>,
        created_at -> Timestamptz,
    }
}

table! {
    event_types (org, event_type) {
        org -> Text,
        event_type -> Text,
        description -> Nullable<Text>,
        stream -> Nullable<Text>,
        streams -> Text,
        validation -> Text,
        compatibility -> Nullable<Text>,
        policy -> Nullable<Text>,
        latest -> Integer,
        revision -> BigInt,
        created_by -> Nullable<Text>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        deleted_at -> Nullable<Timestamptz>,
    }
}

table! {
    schema_settings (org) {
        org -> Text,
        compatibility -> Text,
        policy -> Text,
        updated_at -> Timestamptz,
    }
}

table! {
    automations (id) {
        id -> Uuid,
        org -> Text,
        name -> Text,
        version -> Integer,
        enabled -> Bool,
        priority -> Integer,
        trigger_event_type -> Text,
        definition -> Text,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Text>,
    }
}

table! {
    automation_versions (automation_id, version) {
        automation_id -> Uuid,
        version -> Integer,
        org -> Text,
        name -> Text,
        definition -> Text,
        created_at -> Timestamptz,
        created_by -> Nullable<Text>,
    }
}

table! {
    automation_logs (id) {
        id -> Uuid,
        org -> Text,
        automation_id -> Uuid,
        automation_version -> Integer,
        event_id -> Uuid,
        event_type -> Text,
        status -> Text,
        conditions_matched -> Bool,
        actions -> Text,
        error -> Nullable<Text>,
        execution_time_ms -> BigInt,
        created_at -> Timestamptz,
    }
}

table! {
    schedules (id) {
        id -> Uuid,
        org -> Text,
        name -> Text,
        version -> Integer,
        enabled -> Bool,
        definition -> Text,
        decided_until -> Timestamptz,
        next_at -> Nullable<Timestamptz>,
        due_at -> Nullable<Timestamptz>,
        moves -> BigInt,
        number -> BigInt,
        fired -> BigInt,
        skipped -> BigInt,
        missed -> BigInt,
        waiting -> Integer,
        last_event_id -> Nullable<Uuid>,
        last_fired_at -> Nullable<Timestamptz>,
        alarm -> Nullable<Text>,
        failure -> Nullable<Text>,
        alarm_at -> Nullable<Timestamptz>,
        alarm_told -> Bool,
        overdue_told -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        created_by -> Nullable<Text>,
    }
}

table! {
    schedule_fires (id) {
        id -> Uuid,
        schedule_id -> Uuid,
        org -> Text,
        nominal -> Timestamptz,
        due_at -> Timestamptz,
        event_id -> Uuid,
        number -> Nullable<BigInt>,
        reason -> Text,
        status -> Text,
        ready_at -> Nullable<Timestamptz>,
        fence -> BigInt,
        error -> Nullable<Text>,
        work_cancelled -> Bool,
        triggered_by -> Nullable<Text>,
        created_at -> Timestamptz,
        fired_at -> Nullable<Timestamptz>,
    }
}

allow_tables_to_appear_in_same_query!(
    omni_events,
    event_outcomes,
    event_texts,
    automation_logs,
    dead_letters,
    event_payloads,
);
allow_tables_to_appear_in_same_query!(bus, outbox_writers);
allow_tables_to_appear_in_same_query!(event_types, event_schemas);
allow_tables_to_appear_in_same_query!(omni_events, outbox_writers);
allow_tables_to_appear_in_same_query!(omni_events, dedupe_keys);
allow_tables_to_appear_in_same_query!(dedupe_keys, scheduled_events);
