-- The event log complete: who and what an event is about, compressed payloads, and an index for every question that the
-- list of events answers. Lists are in the order of receipt, so each index ends with it (and with the rowid, which is
-- the sequence and part of every index). What few events have is indexed only where it is set.
DROP INDEX omni_events_by_type;
CREATE TABLE omni_events_new (
    sequence              INTEGER PRIMARY KEY,
    id                    BLOB NOT NULL UNIQUE,
    org                   TEXT NOT NULL,
    event_type            TEXT NOT NULL,
    source                TEXT NOT NULL,
    occurred_at           INTEGER NOT NULL,
    received_at           INTEGER NOT NULL,
    -- A byte that names the form, then the JSON text as it was sent, compressed where that helps.
    payload               BLOB NOT NULL,
    schema_version        INTEGER,
    channel_type          TEXT,
    instance_id           TEXT,
    -- NULL: its own id, as for every event that begins a chain.
    correlation_id        TEXT,
    causation_id          BLOB,
    traceparent           TEXT,
    hops                  INTEGER NOT NULL,
    priority              TEXT,
    triggered_by          TEXT,
    idempotency_key       TEXT,
    replay_of             BLOB,
    -- JSON: which replay, and what it asked for.
    replay                TEXT,
    provider              TEXT,
    provider_event_id     TEXT,
    direction             TEXT,
    sender_identity_id    BLOB,
    sender_handle         TEXT,
    recipient_identity_id BLOB,
    recipient_handle      TEXT,
    content_type          TEXT,
    content_text          TEXT,
    content_media_url     TEXT,
    -- JSON object: reactions, edits, threads.
    extra                 TEXT,
    writer                INTEGER NOT NULL
) STRICT;
INSERT INTO omni_events_new (sequence, id, org, event_type, source, occurred_at, received_at, payload, schema_version,
    channel_type, instance_id, correlation_id, causation_id, traceparent, hops, priority, triggered_by, idempotency_key,
    replay_of, provider, provider_event_id, direction, writer)
SELECT sequence, id, org, event_type, source, occurred_at, received_at, CAST(x'00' || payload AS BLOB), schema_version,
    channel_type, instance_id, correlation_id, causation_id, traceparent, hops, priority, triggered_by, idempotency_key,
    replay_of, provider, provider_event_id, direction, writer
FROM omni_events;
DROP TABLE omni_events;
ALTER TABLE omni_events_new RENAME TO omni_events;
CREATE INDEX omni_events_recent ON omni_events (org, received_at);
CREATE INDEX omni_events_by_type ON omni_events (org, event_type, received_at);
CREATE INDEX omni_events_by_sender ON omni_events (org, sender_identity_id, received_at)
    WHERE sender_identity_id IS NOT NULL;
CREATE INDEX omni_events_by_recipient ON omni_events (org, recipient_identity_id, received_at)
    WHERE recipient_identity_id IS NOT NULL;
CREATE INDEX omni_events_by_instance ON omni_events (org, instance_id, received_at) WHERE instance_id IS NOT NULL;
CREATE INDEX omni_events_by_provider ON omni_events (org, provider_event_id) WHERE provider_event_id IS NOT NULL;
CREATE INDEX omni_events_by_correlation ON omni_events (org, correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX omni_events_by_cause ON omni_events (causation_id) WHERE causation_id IS NOT NULL;
CREATE INDEX omni_events_by_origin ON omni_events (replay_of) WHERE replay_of IS NOT NULL;

-- The words of what was written, by sequence; the organisation is a word, so that one's search reads no other's list.
CREATE VIRTUAL TABLE event_texts USING fts5 (
    org, content_text, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2'
);

-- When the event was received, so that those with trouble are found in the order of the log.
ALTER TABLE event_outcomes ADD COLUMN received_at INTEGER NOT NULL DEFAULT 0;
UPDATE event_outcomes SET received_at =
    coalesce((SELECT received_at FROM omni_events WHERE omni_events.id = event_outcomes.event_id), processed_at);
CREATE INDEX event_outcomes_unwell ON event_outcomes (org, status, received_at) WHERE status <> 'completed';

-- What was captured on the way of an event, in parts when a stage happens more than once, until it expires.
CREATE TABLE event_payloads_new (
    event_id       BLOB NOT NULL,
    stage          TEXT NOT NULL,
    part           INTEGER NOT NULL,
    org            TEXT NOT NULL,
    content_type   TEXT,
    headers        TEXT NOT NULL,
    -- In the form of omni_events.payload; NULL when it is the payload of the event, or is gone.
    body           BLOB,
    -- Bytes before compression.
    size           INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    -- NULL: kept for ever.
    expires_at     INTEGER,
    deleted_at     INTEGER,
    deleted_reason TEXT,
    PRIMARY KEY (event_id, stage, part)
) STRICT, WITHOUT ROWID;
INSERT INTO event_payloads_new (event_id, stage, part, org, content_type, headers, body, size, created_at, expires_at)
SELECT event_id, stage, 0, org, content_type, headers, CAST(x'00' || body AS BLOB), coalesce(length(body), 0), created_at,
    created_at + 1209600000000
FROM event_payloads;
DROP TABLE event_payloads;
ALTER TABLE event_payloads_new RENAME TO event_payloads;
CREATE INDEX event_payloads_expiring ON event_payloads (expires_at)
    WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX event_payloads_deleted ON event_payloads (deleted_at) WHERE deleted_at IS NOT NULL;
-- Expired keys are forgotten from time to time, a few at once.
CREATE INDEX dedupe_keys_expiring ON dedupe_keys (expires_at);

-- Which stages are captured for which types, and for how long.
CREATE TABLE capture_policies (
    org        TEXT NOT NULL,
    event_type TEXT NOT NULL,
    policy     TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org, event_type)
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('capture_policies', 0);

-- Events whose payload was taken out on purpose.
CREATE TABLE event_expunges (
    event_id    BLOB PRIMARY KEY,
    org         TEXT NOT NULL,
    reason      TEXT NOT NULL,
    expunged_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a consumer or an automation gave up.
CREATE TABLE dead_letters (
    -- Derived from what was given up, so that it is one row however often it is told.
    id             BLOB PRIMARY KEY,
    org            TEXT NOT NULL,
    event_id       BLOB NOT NULL,
    event_type     TEXT NOT NULL,
    -- The consumer, or `automation:{id}`.
    consumer       TEXT NOT NULL,
    automation_id  BLOB,
    -- The version of the automation that failed.
    version        INTEGER,
    attempts       INTEGER NOT NULL,
    -- JSON array of texts, oldest first.
    errors         TEXT NOT NULL,
    -- The message as the bus had it, when the store has no such event; in the form of omni_events.payload.
    message        BLOB,
    status         TEXT NOT NULL,
    retries        INTEGER NOT NULL,
    next_retry_at  INTEGER,
    -- The event that tries it again.
    retry_event_id BLOB,
    note           TEXT,
    changed_by     TEXT,
    dead_at        INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    -- Whether a `system.dead_letter` event tells of it.
    told           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX dead_letters_by_status ON dead_letters (org, status, dead_at, id);
CREATE INDEX dead_letters_recent ON dead_letters (org, dead_at, id);
CREATE INDEX dead_letters_open ON dead_letters (dead_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX dead_letters_by_event ON dead_letters (event_id);
CREATE INDEX dead_letters_due ON dead_letters (next_retry_at) WHERE next_retry_at IS NOT NULL;
CREATE INDEX dead_letters_retrying ON dead_letters (changed_at) WHERE status = 'retrying';
CREATE INDEX dead_letters_untold ON dead_letters (dead_at) WHERE NOT told;

-- Replays, and bulk retries of dead letters: work that goes on where it stopped.
CREATE TABLE jobs (
    id          BLOB PRIMARY KEY,
    org         TEXT NOT NULL,
    kind        TEXT NOT NULL,
    -- JSON: what was asked for.
    spec        TEXT NOT NULL,
    status      TEXT NOT NULL,
    -- How many there are, where that is known.
    total       INTEGER,
    done        INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    -- JSON: where to go on.
    position    TEXT,
    error       TEXT,
    -- Who works on it, until when; a higher epoch has taken it over.
    epoch       INTEGER NOT NULL,
    lease_until INTEGER,
    created_by  TEXT,
    created_at  INTEGER NOT NULL,
    changed_at  INTEGER NOT NULL,
    finished_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_by_org ON jobs (org, kind, id);
CREATE INDEX jobs_open ON jobs (lease_until) WHERE finished_at IS NULL;

-- Events that are to happen later.
CREATE TABLE scheduled_events (
    id         BLOB PRIMARY KEY,
    org        TEXT NOT NULL,
    event_type TEXT NOT NULL,
    due_at     INTEGER NOT NULL,
    -- The event as JSON, in the form of omni_events.payload.
    event      BLOB NOT NULL,
    status     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX scheduled_events_due ON scheduled_events (due_at) WHERE status IN ('scheduled', 'firing');
CREATE INDEX scheduled_events_by_org ON scheduled_events (org, status, due_at, id);
