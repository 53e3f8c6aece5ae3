-- Quarantine keeps whole requests, sealed, so that they can be verified again and released.

ALTER TABLE webhook_quarantine
    -- What is wrong, as one word.
    ADD COLUMN code        TEXT COLLATE "C" NOT NULL DEFAULT 'refused',
    ADD COLUMN method      TEXT,
    -- Path and query as they are shown: values of the query are left out.
    ADD COLUMN path        TEXT,
    -- URL, all headers and the beginning of the body, encrypted; NULL for samples of an older release.
    ADD COLUMN sealed_head BYTEA,
    -- The whole body, encrypted, where it is longer than its beginning.
    ADD COLUMN sealed_body BYTEA,
    -- Bytes of both.
    ADD COLUMN size        BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN status      TEXT COLLATE "C" NOT NULL DEFAULT 'refused',
    -- The events it became, as a JSON array.
    ADD COLUMN event_ids   TEXT,
    -- Whether it was released without being genuine.
    ADD COLUMN forced      BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN note        TEXT,
    ADD COLUMN released_at TIMESTAMPTZ;

CREATE INDEX webhook_quarantine_by_age ON webhook_quarantine (received_at);
