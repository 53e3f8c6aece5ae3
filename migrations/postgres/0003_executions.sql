-- What automations did, one row per event, automation and version.

CREATE TABLE automation_logs (
    id                 UUID NOT NULL,
    org                TEXT COLLATE "C" NOT NULL,
    automation_id      UUID NOT NULL,
    automation_version INTEGER NOT NULL,
    event_id           UUID NOT NULL,
    event_type         TEXT COLLATE "C" NOT NULL,
    status             TEXT COLLATE "C" NOT NULL,
    conditions_matched BOOLEAN NOT NULL,
    actions            TEXT NOT NULL,
    error              TEXT,
    execution_time_ms  BIGINT NOT NULL,
    created_at         TIMESTAMPTZ NOT NULL
);
CREATE UNIQUE INDEX automation_logs_by_id ON automation_logs (id);
-- An event that is delivered again leaves no second row.
CREATE UNIQUE INDEX automation_logs_once ON automation_logs (event_id, automation_id, automation_version);
CREATE INDEX automation_logs_by_automation ON automation_logs (automation_id, id);
