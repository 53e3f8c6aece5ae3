-- The registry of event types: what is one per type has a table of its own, and a version only holds its schema.

CREATE TABLE event_types (
    org           TEXT COLLATE "C" NOT NULL,
    event_type    TEXT COLLATE "C" NOT NULL,
    description   TEXT,
    -- The stream its events go to, if not that of its domain, and all that it ever named, as a JSON array.
    stream        TEXT,
    streams       TEXT NOT NULL,
    validation    TEXT NOT NULL,
    -- NULL: as the organisation has it.
    compatibility TEXT,
    policy        TEXT,
    -- The newest version; stays when the type is deleted, so that no number is given twice.
    latest        INTEGER NOT NULL,
    -- The value of the counter `schemas` at the last change: what is above a number is what a cache has not seen.
    revision      BIGINT NOT NULL,
    created_by    TEXT,
    created_at    TIMESTAMPTZ NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL,
    deleted_at    TIMESTAMPTZ,
    PRIMARY KEY (org, event_type)
);

INSERT INTO event_types
SELECT s.org, s.event_type, s.description, s.stream,
       (SELECT coalesce(json_agg(DISTINCT named.stream) FILTER (WHERE named.stream IS NOT NULL), '[]')::text
        FROM event_schemas AS named WHERE named.org = s.org AND named.event_type = s.event_type),
       s.validation, NULL, NULL, s.version, (SELECT value FROM counters WHERE name = 'schemas'),
       first.created_by, first.created_at, s.created_at, NULL
FROM event_schemas AS s
JOIN event_schemas AS first ON first.org = s.org AND first.event_type = s.event_type
    AND first.version = (SELECT min(version) FROM event_schemas AS other
                         WHERE other.org = s.org AND other.event_type = s.event_type)
WHERE s.version = (SELECT max(version) FROM event_schemas AS other
                   WHERE other.org = s.org AND other.event_type = s.event_type);

CREATE INDEX event_types_by_revision ON event_types (revision);

ALTER TABLE event_schemas DROP COLUMN description, DROP COLUMN stream, DROP COLUMN validation;

-- What holds for the types of an organisation that say nothing themselves.
CREATE TABLE schema_settings (
    org           TEXT COLLATE "C" PRIMARY KEY,
    compatibility TEXT NOT NULL,
    policy        TEXT NOT NULL,
    updated_at    TIMESTAMPTZ NOT NULL
);
