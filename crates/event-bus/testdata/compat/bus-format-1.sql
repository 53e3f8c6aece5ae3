-- A database of format 1: what was there before an identity and sizes were kept. 60 messages were removed, 40 are left.
PRAGMA page_size = 16384;
PRAGMA journal_mode = wal;
CREATE TABLE streams (stream TEXT PRIMARY KEY, purged INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE consumers (
    consumer TEXT NOT NULL, stream TEXT NOT NULL, floor INTEGER NOT NULL, settled TEXT NOT NULL,
    PRIMARY KEY (consumer, stream)
) WITHOUT ROWID;
CREATE TABLE failures (
    consumer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, reasons TEXT NOT NULL,
    PRIMARY KEY (consumer, stream, seq)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY, consumer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL, reasons TEXT NOT NULL, dead_at INTEGER NOT NULL,
    id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL
);
CREATE TABLE syncs (number INTEGER PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE stream_message (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_instance (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_identity (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_media (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_access (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_custom (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
CREATE TABLE stream_system (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
WITH RECURSIVE numbers (n) AS (SELECT 61 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100)
INSERT INTO stream_custom SELECT n, randomblob(16), 'custom.a._._', 1800000000000000 + n, zeroblob(1000) FROM numbers;
INSERT INTO streams VALUES ('CUSTOM', 60), ('MEDIA', 5);
INSERT INTO consumers VALUES ('test', 'CUSTOM', 70, '[[72,80]]');
INSERT INTO failures VALUES ('test', 'CUSTOM', 71, '["attempt 1: no"]');
PRAGMA user_version = 1;
