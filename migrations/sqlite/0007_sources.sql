-- Quarantine keeps whole requests, sealed, so that they can be verified again and released.

-- What is wrong, as one word.
ALTER TABLE webhook_quarantine ADD COLUMN code TEXT NOT NULL DEFAULT 'refused';
ALTER TABLE webhook_quarantine ADD COLUMN method TEXT;
-- Path and query as they are shown: values of the query are left out.
ALTER TABLE webhook_quarantine ADD COLUMN path TEXT;
-- URL, all headers and the beginning of the body, encrypted; NULL for samples of an older release.
ALTER TABLE webhook_quarantine ADD COLUMN sealed_head BLOB;
-- The whole body, encrypted, where it is longer than its beginning.
ALTER TABLE webhook_quarantine ADD COLUMN sealed_body BLOB;
-- Bytes of both.
ALTER TABLE webhook_quarantine ADD COLUMN size INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_quarantine ADD COLUMN status TEXT NOT NULL DEFAULT 'refused';
-- The events it became, as a JSON array.
ALTER TABLE webhook_quarantine ADD COLUMN event_ids TEXT;
-- Whether it was released without being genuine.
ALTER TABLE webhook_quarantine ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_quarantine ADD COLUMN note TEXT;
ALTER TABLE webhook_quarantine ADD COLUMN released_at INTEGER;

CREATE INDEX webhook_quarantine_by_age ON webhook_quarantine (received_at);
