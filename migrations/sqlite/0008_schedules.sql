-- Schedules: what makes events by the clock, and how far each is.
CREATE TABLE schedules (
    id            BLOB PRIMARY KEY,
    org           TEXT NOT NULL,
    name          TEXT NOT NULL,
    version       INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    -- JSON.
    definition    TEXT NOT NULL,
    -- Every instant up to here is decided: it fired, was skipped or was missed.
    decided_until INTEGER NOT NULL,
    -- The next instant; NULL when it is disabled, has ended, or nobody can say.
    next_at       INTEGER,
    -- When it has to be looked at next; NULL for never.
    due_at        INTEGER,
    -- Counts the decisions, so that an update which has not seen the last one is refused.
    moves         INTEGER NOT NULL,
    -- The number of the last fire that counts.
    number        INTEGER NOT NULL,
    fired         INTEGER NOT NULL,
    skipped       INTEGER NOT NULL,
    missed        INTEGER NOT NULL,
    -- How many fires wait until the work on the one before is done.
    waiting       INTEGER NOT NULL,
    -- The event of the last fire that did not wait: whether its work is done decides about the next.
    last_event_id BLOB,
    last_fired_at INTEGER,
    -- Why there is no next instant, and why the last event was refused.
    alarm         TEXT,
    failure       TEXT,
    -- Since when something is wrong, and whether an event has told so.
    alarm_at      INTEGER,
    alarm_told    INTEGER NOT NULL,
    -- The instant of which an event has told that it is overdue.
    overdue_told  INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    created_by    TEXT,
    UNIQUE (org, name)
) STRICT;
CREATE INDEX schedules_due ON schedules (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedules_waiting ON schedules (id) WHERE waiting > 0;
CREATE INDEX schedules_untold ON schedules (id) WHERE NOT alarm_told;

-- Each instant that was decided, until it is forgotten.
CREATE TABLE schedule_fires (
    id             BLOB PRIMARY KEY,
    schedule_id    BLOB NOT NULL,
    org            TEXT NOT NULL,
    nominal        INTEGER NOT NULL,
    -- The instant and its jitter.
    due_at         INTEGER NOT NULL,
    -- Its event has this id from the beginning, so that recording it twice is one event.
    event_id       BLOB NOT NULL,
    number         INTEGER,
    reason         TEXT NOT NULL,
    status         TEXT NOT NULL,
    -- While it is pending: when somebody may take it up, that is when it is due or when the lease of who has it ends.
    ready_at       INTEGER,
    -- Counts who took it up.
    fence          INTEGER NOT NULL,
    error          TEXT,
    work_cancelled INTEGER NOT NULL,
    triggered_by   TEXT,
    created_at     INTEGER NOT NULL,
    fired_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX schedule_fires_once ON schedule_fires (schedule_id, nominal) WHERE reason <> 'manual';
CREATE INDEX schedule_fires_recent ON schedule_fires (schedule_id, id);
CREATE INDEX schedule_fires_ready ON schedule_fires (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX schedule_fires_waiting ON schedule_fires (schedule_id, nominal) WHERE status = 'waiting';
CREATE INDEX schedule_fires_by_event ON schedule_fires (event_id);
