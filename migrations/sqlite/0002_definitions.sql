-- What users define: sources, event types, automations. Definitions are JSON text; what is queried has a column.

CREATE TABLE sources (
    id            BLOB PRIMARY KEY,
    org           TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    definition    TEXT NOT NULL,
    sealed_secret BLOB,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    created_by    TEXT,
    UNIQUE (org, name)
) STRICT;

-- A bounded sample of what a source refused, so that its owner can see why.
CREATE TABLE webhook_quarantine (
    id           BLOB PRIMARY KEY,
    org          TEXT NOT NULL,
    source       TEXT NOT NULL,
    reason       TEXT NOT NULL,
    content_type TEXT,
    headers      TEXT NOT NULL,
    body         BLOB NOT NULL,
    remote       TEXT,
    received_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_quarantine_by_source ON webhook_quarantine (org, source, id);

CREATE TABLE event_schemas (
    org         TEXT NOT NULL,
    event_type  TEXT NOT NULL,
    version     INTEGER NOT NULL,
    schema      TEXT NOT NULL,
    description TEXT,
    stream      TEXT,
    validation  TEXT NOT NULL,
    created_by  TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (org, event_type, version)
) STRICT;

CREATE TABLE automations (
    id                 BLOB PRIMARY KEY,
    org                TEXT NOT NULL,
    name               TEXT NOT NULL,
    version            INTEGER NOT NULL,
    enabled            INTEGER NOT NULL,
    priority           INTEGER NOT NULL,
    trigger_event_type TEXT NOT NULL,
    definition         TEXT NOT NULL,
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    created_by         TEXT,
    UNIQUE (org, name)
) STRICT;

-- Every version that ever was, kept after its automation is deleted: executions point at them.
CREATE TABLE automation_versions (
    automation_id BLOB NOT NULL,
    version       INTEGER NOT NULL,
    org           TEXT NOT NULL,
    name          TEXT NOT NULL,
    definition    TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    created_by    TEXT,
    PRIMARY KEY (automation_id, version)
) STRICT;
