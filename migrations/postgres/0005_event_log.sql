-- The event log complete: who and what an event is about, compressed payloads, and an index for every question that the
-- list of events answers. Lists are in the order of receipt, so each index ends with it and with the sequence. What few
-- events have is indexed only where it is set.
DROP INDEX omni_events_by_type;
ALTER TABLE omni_events
    -- A byte that names the form, then the JSON text as it was sent, compressed where that helps.
    ALTER COLUMN payload TYPE BYTEA USING '\x00'::bytea || convert_to(payload, 'UTF8'),
    -- NULL: its own id, as for every event that begins a chain.
    ALTER COLUMN correlation_id DROP NOT NULL,
    -- JSON: which replay, and what it asked for.
    ADD COLUMN replay                TEXT,
    ADD COLUMN sender_identity_id    UUID,
    ADD COLUMN sender_handle         TEXT,
    ADD COLUMN recipient_identity_id UUID,
    ADD COLUMN recipient_handle      TEXT,
    ADD COLUMN content_type          TEXT,
    ADD COLUMN content_text          TEXT,
    ADD COLUMN content_media_url     TEXT,
    -- JSON object: reactions, edits, threads.
    ADD COLUMN extra                 TEXT;
-- Ours are compressed already.
ALTER TABLE omni_events ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX omni_events_recent ON omni_events (org, received_at, sequence);
CREATE INDEX omni_events_by_type ON omni_events (org, event_type, received_at, sequence);
CREATE INDEX omni_events_by_sender ON omni_events (org, sender_identity_id, received_at, sequence)
    WHERE sender_identity_id IS NOT NULL;
CREATE INDEX omni_events_by_recipient ON omni_events (org, recipient_identity_id, received_at, sequence)
    WHERE recipient_identity_id IS NOT NULL;
CREATE INDEX omni_events_by_instance ON omni_events (org, instance_id, received_at, sequence)
    WHERE instance_id IS NOT NULL;
CREATE INDEX omni_events_by_provider ON omni_events (org, provider_event_id) WHERE provider_event_id IS NOT NULL;
CREATE INDEX omni_events_by_correlation ON omni_events (org, correlation_id) WHERE correlation_id IS NOT NULL;
CREATE INDEX omni_events_by_cause ON omni_events (causation_id) WHERE causation_id IS NOT NULL;
CREATE INDEX omni_events_by_origin ON omni_events (replay_of) WHERE replay_of IS NOT NULL;
-- The words of what was written.
CREATE INDEX omni_events_by_words ON omni_events USING gin (to_tsvector('simple', content_text))
    WHERE content_text IS NOT NULL;

-- When the event was received, so that those with trouble are found in the order of the log.
ALTER TABLE event_outcomes ADD COLUMN received_at TIMESTAMPTZ;
UPDATE event_outcomes o SET received_at = coalesce((SELECT e.received_at FROM omni_events e WHERE e.id = o.event_id), o.processed_at);
ALTER TABLE event_outcomes ALTER COLUMN received_at SET NOT NULL;
CREATE INDEX event_outcomes_unwell ON event_outcomes (org, status, received_at) WHERE status <> 'completed';

-- What was captured on the way of an event, in parts when a stage happens more than once, until it expires.
ALTER TABLE event_payloads
    -- In the form of omni_events.payload; NULL when it is the payload of the event, or is gone.
    ALTER COLUMN body TYPE BYTEA USING '\x00'::bytea || body,
    ADD COLUMN part           INTEGER NOT NULL DEFAULT 0,
    -- Bytes before compression.
    ADD COLUMN size           BIGINT NOT NULL DEFAULT 0,
    -- NULL: kept for ever.
    ADD COLUMN expires_at     TIMESTAMPTZ,
    ADD COLUMN deleted_at     TIMESTAMPTZ,
    ADD COLUMN deleted_reason TEXT,
    DROP CONSTRAINT event_payloads_pkey,
    ADD PRIMARY KEY (event_id, stage, part);
ALTER TABLE event_payloads ALTER COLUMN body SET STORAGE EXTERNAL;
UPDATE event_payloads SET size = coalesce(length(body) - 1, 0), expires_at = created_at + interval '14 days';
CREATE INDEX event_payloads_expiring ON event_payloads (expires_at)
    WHERE expires_at IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX event_payloads_deleted ON event_payloads (deleted_at) WHERE deleted_at IS NOT NULL;
-- Expired keys are forgotten from time to time, a few at once.
CREATE INDEX dedupe_keys_expiring ON dedupe_keys (expires_at);

-- Which stages are captured for which types, and for how long.
CREATE TABLE capture_policies (
    org        TEXT COLLATE "C" NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    policy     TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (org, event_type)
);
INSERT INTO counters (name, value) VALUES ('capture_policies', 0);

-- Events whose payload was taken out on purpose.
CREATE TABLE event_expunges (
    event_id    UUID PRIMARY KEY,
    org         TEXT COLLATE "C" NOT NULL,
    reason      TEXT NOT NULL,
    expunged_at TIMESTAMPTZ NOT NULL
);

-- What a consumer or an automation gave up.
CREATE TABLE dead_letters (
    -- Derived from what was given up, so that it is one row however often it is told.
    id             UUID PRIMARY KEY,
    org            TEXT COLLATE "C" NOT NULL,
    event_id       UUID NOT NULL,
    event_type     TEXT COLLATE "C" NOT NULL,
    -- The consumer, or `automation:{id}`.
    consumer       TEXT COLLATE "C" NOT NULL,
    automation_id  UUID,
    -- The version of the automation that failed.
    version        INTEGER,
    attempts       INTEGER NOT NULL,
    -- JSON array of texts, oldest first.
    errors         TEXT NOT NULL,
    -- The message as the bus had it, when the store has no such event; in the form of omni_events.payload.
    message        BYTEA,
    status         TEXT COLLATE "C" NOT NULL,
    retries        INTEGER NOT NULL,
    next_retry_at  TIMESTAMPTZ,
    -- The event that tries it again.
    retry_event_id UUID,
    note           TEXT,
    changed_by     TEXT,
    dead_at        TIMESTAMPTZ NOT NULL,
    changed_at     TIMESTAMPTZ NOT NULL,
    -- Whether a `system.dead_letter` event tells of it.
    told           BOOLEAN NOT NULL
);
CREATE INDEX dead_letters_by_status ON dead_letters (org, status, dead_at, id);
CREATE INDEX dead_letters_recent ON dead_letters (org, dead_at, id);
CREATE INDEX dead_letters_open ON dead_letters (dead_at) WHERE status IN ('pending', 'retrying');
CREATE INDEX dead_letters_by_event ON dead_letters (event_id);
CREATE INDEX dead_letters_due ON dead_letters (next_retry_at) WHERE next_retry_at IS NOT NULL;
CREATE INDEX dead_letters_retrying ON dead_letters (changed_at) WHERE status = 'retrying';
CREATE INDEX dead_letters_untold ON dead_letters (dead_at) WHERE NOT told;

-- Replays, and bulk retries of dead letters: work that goes on where it stopped.
CREATE TABLE jobs (
    id          UUID PRIMARY KEY,
    org         TEXT COLLATE "C" NOT NULL,
    kind        TEXT COLLATE "C" NOT NULL,
    -- JSON: what was asked for.
    spec        TEXT NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    -- How many there are, where that is known.
    total       BIGINT,
    done        BIGINT NOT NULL,
    failed      BIGINT NOT NULL,
    -- JSON: where to go on.
    position    TEXT,
    error       TEXT,
    -- Who works on it, until when; a higher epoch has taken it over.
    epoch       BIGINT NOT NULL,
    lease_until TIMESTAMPTZ,
    created_by  TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    changed_at  TIMESTAMPTZ NOT NULL,
    finished_at TIMESTAMPTZ
);
CREATE INDEX jobs_by_org ON jobs (org, kind, id);
CREATE INDEX jobs_open ON jobs (lease_until) WHERE finished_at IS NULL;

-- Events that are to happen later.
CREATE TABLE scheduled_events (
    id         UUID PRIMARY KEY,
    org        TEXT COLLATE "C" NOT NULL,
    event_type TEXT COLLATE "C" NOT NULL,
    due_at     TIMESTAMPTZ NOT NULL,
    -- The event as JSON, in the form of omni_events.payload.
    event      BYTEA NOT NULL,
    status     TEXT COLLATE "C" NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX scheduled_events_due ON scheduled_events (due_at) WHERE status IN ('scheduled', 'firing');
CREATE INDEX scheduled_events_by_org ON scheduled_events (org, status, due_at, id);
