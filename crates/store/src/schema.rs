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
        payload -> Text,
        schema_version -> Nullable<Integer>,
        channel_type -> Nullable<Text>,
        instance_id -> Nullable<Text>,
        correlation_id -> Text,
        causation_id -> Nullable<Uuid>,
        traceparent -> Nullable<Text>,
        hops -> Integer,
        priority -> Nullable<Text>,
        triggered_by -> Nullable<Text>,
        idempotency_key -> Nullable<Text>,
        replay_of -> Nullable<Uuid>,
        provider -> Nullable<Text>,
        provider_event_id -> Nullable<Text>,
        direction -> Nullable<Text>,
        writer -> BigInt,
    }
}

table! {
    event_payloads (event_id, stage) {
        event_id -> Uuid,
        stage -> Text,
        org -> Text,
        content_type -> Nullable<Text>,
        headers -> Text,
        body -> Nullable<Binary>,
        created_at -> Timestamptz,
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
        reason -> Text,
        content_type -> Nullable<Text>,
        headers -> Text,
        body -> Binary,
        remote -> Nullable<Text>,
        received_at -> Timestamptz,
    }
}

table! {
    event_schemas (org, event_type, version) {
        org -> Text,
        event_type -> Text,
        version -> Integer,
        schema -> Text,
        description -> Nullable<Text>,
        stream -> Nullable<Text>,
        validation -> Text,
        created_by -> Nullable<Text>,
        created_at -> Timestamptz,
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

allow_tables_to_appear_in_same_query!(omni_events, event_outcomes);
allow_tables_to_appear_in_same_query!(bus, outbox_writers);
