-- What automations did, one row per event, automation and version.

CREATE TABLE automation_logs (
    id                 BLOB NOT NULL,
    org                TEXT NOT NULL,
    automation_id      BLOB NOT NULL,
    automation_version INTEGER NOT NULL,
    event_id           BLOB NOT NULL,
    event_type         TEXT NOT NULL,
    status             TEXT NOT NULL,
    conditions_matched INTEGER NOT NULL,
    actions            TEXT NOT NULL,
    error              TEXT,
    execution_time_ms  INTEGER NOT NULL,
    created_at         INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX automation_logs_by_id ON automation_logs (id);
-- An event that is delivered again leaves no second row.
CREATE UNIQUE INDEX automation_logs_once ON automation_logs (event_id, automation_id, automation_version);
CREATE INDEX automation_logs_by_automation ON automation_logs (automation_id, id);
