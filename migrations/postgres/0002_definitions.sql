-- What users define: sources, event types, automations. Definitions are JSON text; what is queried has a column.

CREATE TABLE sources (
    id            UUID PRIMARY KEY,
    org           TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    version       INTEGER NOT NULL,
    enabled       BOOLEAN NOT NULL,
    definition    TEXT NOT NULL,
    sealed_secret BYTEA,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    created_by    TEXT,
    UNIQUE (org, name)
);

-- A bounded sample of what a source refused, so that its owner can see why.
CREATE TABLE webhook_quarantine (
    id           UUID PRIMARY KEY,
    org          TEXT COLLATE "C" NOT NULL,
    source       TEXT COLLATE "C" NOT NULL,
    reason       TEXT NOT NULL,
    content_type TEXT,
    headers      TEXT NOT NULL,
    body         BYTEA NOT NULL,
    remote       TEXT,
    received_at  TIMESTAMPTZ NOT NULL
);
CREATE INDEX webhook_quarantine_by_source ON webhook_quarantine (org, source, id);

CREATE TABLE event_schemas (
    org         TEXT COLLATE "C" NOT NULL,
    event_type  TEXT COLLATE "C" NOT NULL,
    version     INTEGER NOT NULL,
    schema      TEXT NOT NULL,
    description TEXT,
    stream      TEXT,
    validation  TEXT NOT NULL,
    created_by  TEXT,
    created_at  TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (org, event_type, version)
);

CREATE TABLE automations (
    id                 UUID PRIMARY KEY,
    org                TEXT COLLATE "C" NOT NULL,
    name               TEXT COLLATE "C" NOT NULL,
    version            INTEGER NOT NULL,
    enabled            BOOLEAN NOT NULL,
    priority           INTEGER NOT NULL,
    trigger_event_type TEXT COLLATE "C" NOT NULL,
    definition         TEXT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL,
    updated_at         TIMESTAMPTZ NOT NULL,
    created_by         TEXT,
    UNIQUE (org, name)
);

-- Every version that ever was, kept after its automation is deleted: executions point at them.
CREATE TABLE automation_versions (
    automation_id UUID NOT NULL,
    version       INTEGER NOT NULL,
    org           TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    definition    TEXT NOT NULL,
    created_at    TIMESTAMPTZ NOT NULL,
    created_by    TEXT,
    PRIMARY KEY (automation_id, version)
);
