-- What the store knows about the bus; one row.
CREATE TABLE bus (
    id              INTEGER PRIMARY KEY,
    -- Which streams everything up to the watermarks was published to; other streams have to be told again.
    identity        TEXT NOT NULL,
    -- Every event up to here has an outcome, so nobody has to look there.
    settled_through INTEGER NOT NULL,
    -- The writer that is telling new streams what the old ones lost.
    healer          INTEGER,
    -- When the newest dead letter was given up that an event tells of.
    letters_through INTEGER NOT NULL
) STRICT;
INSERT INTO bus (id, identity, settled_through, healer, letters_through) VALUES (1, '', 0, NULL, 0);
