-- Schedules: what makes events by the clock, and how far each is.
CREATE TABLE schedules (
    id            UUID PRIMARY KEY,
    org           TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    version       INTEGER NOT NULL,
    enabled       BOOLEAN NOT NULL,
    -- JSON.
    definition    TEXT NOT NULL,
    -- Every instant up to here is decided: it fired, was skipped or was missed.
    decided_until TIMESTAMPTZ NOT NULL,
    -- The next instant; NULL when it is disabled, has ended, or nobody can say.
    next_at       TIMESTAMPTZ,
    -- When it has to be looked at next; NULL for never.
    due_at        TIMESTAMPTZ,
    -- Counts the decisions, so that an update which has not seen the last one is refused.
    moves         BIGINT NOT NULL,
    -- The number of the last fire that counts.
    number        BIGINT NOT NULL,
    fired         BIGINT NOT NULL,
    skipped       BIGINT NOT NULL,
    missed        BIGINT NOT NULL,
    -- How many fires wait until the work on the one before is done.
    waiting       INTEGER NOT NULL,
    -- The event of the last fire that did not wait: whether its work is done decides about the next.
    last_event_id UUID,
    last_fired_at TIMESTAMPTZ,
    -- Why there is no next instant, and why the last event was refused.
    alarm         TEXT,
    failure       TEXT,
    -- Since when something is wrong, and whether an event has told so.
    alarm_at      TIMESTAMPTZ,
    alarm_told    BOOLEAN NOT NULL,
    -- The instant of which an event has told that it is overdue.
    overdue_told  TIMESTAMPTZ,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    created_by    TEXT,
    UNIQUE (org, name)
);
CREATE INDEX schedules_due ON schedules (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX schedules_waiting ON schedules (id) WHERE waiting > 0;
CREATE INDEX schedules_untold ON schedules (id) WHERE NOT alarm_told;

-- Each instant that was decided, until it is forgotten.
CREATE TABLE schedule_fires (
    id             UUID PRIMARY KEY,
    schedule_id    UUID NOT NULL,
    org            TEXT COLLATE "C" NOT NULL,
    nominal        TIMESTAMPTZ NOT NULL,
    -- The instant and its jitter.
    due_at         TIMESTAMPTZ NOT NULL,
    -- Its event has this id from the beginning, so that recording it twice is one event.
    event_id       UUID NOT NULL,
    number         BIGINT,
    reason         TEXT COLLATE "C" NOT NULL,
    status         TEXT COLLATE "C" NOT NULL,
    -- While it is pending: when somebody may take it up, that is when it is due or when the lease of who has it ends.
    ready_at       TIMESTAMPTZ,
    -- Counts who took it up.
    fence          BIGINT NOT NULL,
    error          TEXT,
    work_cancelled BOOLEAN NOT NULL,
    triggered_by   TEXT,
    created_at     TIMESTAMPTZ NOT NULL,
    fired_at       TIMESTAMPTZ
);
CREATE UNIQUE INDEX schedule_fires_once ON schedule_fires (schedule_id, nominal) WHERE reason <> 'manual';
CREATE INDEX schedule_fires_recent ON schedule_fires (schedule_id, id);
CREATE INDEX schedule_fires_ready ON schedule_fires (ready_at) WHERE ready_at IS NOT NULL;
CREATE INDEX schedule_fires_waiting ON schedule_fires (schedule_id, nominal) WHERE status = 'waiting';
CREATE INDEX schedule_fires_by_event ON schedule_fires (event_id);
