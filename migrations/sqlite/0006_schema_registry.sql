-- The registry of event types: what is one per type has a table of its own, and a version only holds its schema.

CREATE TABLE event_types (
    org           TEXT NOT NULL,
    event_type    TEXT NOT NULL,
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
    revision      INTEGER NOT NULL,
    created_by    TEXT,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER,
    PRIMARY KEY (org, event_type)
) STRICT, WITHOUT ROWID;

INSERT INTO event_types
SELECT s.org, s.event_type, s.description, s.stream,
       (SELECT json_group_array(DISTINCT named.stream) FROM event_schemas AS named
        WHERE named.org = s.org AND named.event_type = s.event_type AND named.stream IS NOT NULL),
       s.validation, NULL, NULL, s.version, (SELECT value FROM counters WHERE name = 'schemas'),
       first.created_by, first.created_at, s.created_at, NULL
FROM event_schemas AS s
JOIN event_schemas AS first ON first.org = s.org AND first.event_type = s.event_type
    AND first.version = (SELECT min(version) FROM event_schemas AS other
                         WHERE other.org = s.org AND other.event_type = s.event_type)
WHERE s.version = (SELECT max(version) FROM event_schemas AS other
                   WHERE other.org = s.org AND other.event_type = s.event_type);

CREATE INDEX event_types_by_revision ON event_types (revision);

ALTER TABLE event_schemas DROP COLUMN description;
ALTER TABLE event_schemas DROP COLUMN stream;
ALTER TABLE event_schemas DROP COLUMN validation;

-- What holds for the types of an organisation that say nothing themselves.
CREATE TABLE schema_settings (
    org           TEXT PRIMARY KEY,
    compatibility TEXT NOT NULL,
    policy        TEXT NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;
