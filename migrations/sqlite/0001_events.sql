-- Events, what came with them, and what happens to them. A UUID is a BLOB of 16 bytes, a time an INTEGER of
-- microseconds since 1970, JSON is TEXT so that number text and key order survive.

-- Numbers that only grow: the next event sequence (SQLite would hand the number of a deleted last row out again), and
-- the revision of each kind of definition.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters (name, value) VALUES ('events', 0), ('sources', 0), ('automations', 0), ('schemas', 0);

CREATE TABLE omni_events (
    sequence          INTEGER PRIMARY KEY,
    id                BLOB NOT NULL UNIQUE,
    org               TEXT NOT NULL,
    event_type        TEXT NOT NULL,
    source            TEXT NOT NULL,
    occurred_at       INTEGER NOT NULL,
    received_at       INTEGER NOT NULL,
    payload           TEXT NOT NULL,
    schema_version    INTEGER,
    channel_type      TEXT,
    instance_id       TEXT,
    correlation_id    TEXT NOT NULL,
    causation_id      BLOB,
    traceparent       TEXT,
    hops              INTEGER NOT NULL,
    priority          TEXT,
    triggered_by      TEXT,
    idempotency_key   TEXT,
    replay_of         BLOB,
    provider          TEXT,
    provider_event_id TEXT,
    direction         TEXT,
    writer            INTEGER NOT NULL
) STRICT;
-- The rowid, which is the sequence, is part of every index.
CREATE INDEX omni_events_by_type ON omni_events (org, event_type);

-- What was received, stage by stage; a body that is the payload itself is not stored twice.
CREATE TABLE event_payloads (
    event_id     BLOB NOT NULL,
    stage        TEXT NOT NULL,
    org          TEXT NOT NULL,
    content_type TEXT,
    headers      TEXT NOT NULL,
    body         BLOB,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (event_id, stage)
) STRICT;

CREATE TABLE event_outcomes (
    event_id     BLOB PRIMARY KEY,
    org          TEXT NOT NULL,
    status       TEXT NOT NULL,
    retry_count  INTEGER NOT NULL,
    processed_at INTEGER NOT NULL,
    executions   INTEGER NOT NULL,
    error        TEXT
) STRICT, WITHOUT ROWID;

-- Who commits events, and up to which sequence it has published them. One that is fenced cannot commit any more.
CREATE TABLE outbox_writers (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    name              TEXT NOT NULL,
    published_through INTEGER NOT NULL,
    heartbeat_at      INTEGER NOT NULL,
    fenced            INTEGER NOT NULL
) STRICT;

-- Keys under which a repeat is recognised, until they expire.
CREATE TABLE dedupe_keys (
    org        TEXT NOT NULL,
    scope      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,
    event_id   BLOB NOT NULL,
    sequence   INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (org, scope, key)
) STRICT, WITHOUT ROWID;
