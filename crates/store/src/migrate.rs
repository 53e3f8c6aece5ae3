//! Brings the tables up to date: both databases have the same migrations, by the same names, in the same order.
//!
//! What must stay true: all missing migrations run in one transaction under a lock, so a crash leaves either the old
//! tables or the new ones, and two processes that start together run them once.

use std::collections::HashSet;

use diesel::{ExpressionMethods as _, QueryDsl as _, insert_into};

use crate::{
    Error, Kind, Result,
    conn::{Conn, Run as _},
    schema::omni_migrations as m,
};

/// Number of the lock on PostgreSQL; any number that no other program takes ("omni" and "mig" as bytes).
const LOCK: &str = "SELECT pg_advisory_xact_lock(7885630528125561191)";

struct Migration {
    version: &'static str,
    postgres: &'static str,
    sqlite: &'static str,
}

macro_rules! migrations {
    ($($version:literal),+ $(,)?) => {
        &[$(Migration {
            version: $version,
            postgres: include_str!(concat!("../../../migrations/postgres/", $version, ".sql")),
            sqlite: include_str!(concat!("../../../migrations/sqlite/", $version, ".sql")),
        }),+]
    };
}

/// All migrations, oldest first. A released one is never edited.
const MIGRATIONS: &[Migration] = migrations![
    "0001_events",
    "0002_definitions",
    "0003_executions",
    "0004_bus",
    "0005_event_log",
    "0006_schema_registry",
    "0007_sources",
    "0008_schedules",
];

/// Runs the migrations that the database does not have yet.
pub(crate) async fn run(conn: &mut Conn) -> Result<()> {
    run_some(conn, MIGRATIONS).await
}

async fn run_some(conn: &mut Conn, migrations: &[Migration]) -> Result<()> {
    conn.begin().await?;
    let result = run_missing(conn, migrations).await;
    conn.end(result).await
}

async fn run_missing(conn: &mut Conn, migrations: &[Migration]) -> Result<()> {
    if conn.kind() == Kind::Postgres {
        conn.batch(LOCK).await?;
    }
    conn.batch("CREATE TABLE IF NOT EXISTS omni_migrations (version TEXT PRIMARY KEY)").await?;
    let done: Vec<String> = m::table.select(m::version).rows(conn).await?;
    let done: HashSet<&str> = done.iter().map(String::as_str).collect();
    warn_of_newer(&done);
    for migration in migrations.iter().filter(|migration| !done.contains(migration.version)) {
        let version = migration.version;
        let sql = match conn.kind() {
            Kind::Postgres => migration.postgres,
            Kind::Sqlite => migration.sqlite,
        };
        conn.batch(sql).await.map_err(|source| Error::Migration { version, source })?;
        insert_into(m::table).values(m::version.eq(version)).run(conn).await?;
        tracing::info!(version, "migrated the database");
    }
    Ok(())
}

/// A newer release may have been here: migrations only add until a release later, so this one still works.
fn warn_of_newer(done: &HashSet<&str>) {
    let unknown = done.iter().filter(|v| MIGRATIONS.iter().all(|m| m.version != **v)).count();
    if unknown > 0 {
        tracing::warn!(
            unknown,
            "the database was migrated by a newer release; this release ignores what it does not know"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A file that nobody listed would never run; a pair with one half missing would not compile.
    #[test]
    fn both_folders_hold_exactly_the_listed_migrations() {
        let listed: Vec<String> = MIGRATIONS.iter().map(|m| format!("{}.sql", m.version)).collect();
        assert!(listed.is_sorted(), "migrations are listed in the order of their names");
        for folder in ["postgres", "sqlite"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations").join(folder);
            let mut found: Vec<String> = std::fs::read_dir(path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            found.sort();
            assert_eq!(found, listed, "migrations/{folder} and the list differ");
        }
    }

    /// One event with a capture, as the first migrations keep them; `{blob}` and `{time}` differ between the databases.
    const OLD_ROWS: &str = r#"
        INSERT INTO omni_events (sequence, id, org, event_type, source, occurred_at, received_at, payload, correlation_id,
            hops, writer)
        VALUES (7, {id}, 'default', 'custom.a', 'api', {time}, {time}, '{"n": 1.50, "s": "é\u0000"}', 'c-1', 0, 1);
        INSERT INTO event_payloads (event_id, stage, org, headers, body, created_at)
        VALUES ({id}, 'received', 'default', '[]', {body}, {time});
        INSERT INTO event_outcomes (event_id, org, status, retry_count, processed_at, executions)
        VALUES ({id}, 'default', 'failed', 0, {time}, 1);
        INSERT INTO event_schemas (org, event_type, version, schema, description, stream, validation, created_by, created_at)
        VALUES ('*', 'message.received', 1, '{}', 'One came.', NULL, 'enforce', NULL, {time}),
               ('acme', 'custom.a', 1, '{"title":"1"}', NULL, 'MEDIA', 'warn', 'mona', {time}),
               ('acme', 'custom.a', 2, '{"title":"2"}', NULL, 'ACCESS', 'warn', 'lea', {time}),
               ('acme', 'custom.a', 3, '{"title":"3"}', 'Now said.', NULL, 'off', 'lea', {time}),
               ('beta', 'custom.a', 2, 'true', NULL, 'MEDIA', 'off', NULL, {time});
        UPDATE counters SET value = 5 WHERE name = 'schemas';
    "#;

    /// What is one per type is that of its newest version, and its streams are those of all.
    async fn versions_became_types(conn: &mut Conn) {
        let changed = crate::schemas::changed_since(conn, 4).await.unwrap();
        let mut told: Vec<_> = changed
            .iter()
            .map(|(row, schema)| {
                let mut streams: Vec<&str> = serde_json::from_str(&row.streams).unwrap();
                streams.sort_unstable();
                let said = (row.description.as_deref(), row.stream.as_deref(), streams);
                let by = (row.latest, &*row.validation, row.created_by.as_deref());
                (&*row.org, &*row.event_type, said, by, schema.as_deref())
            })
            .collect();
        told.sort_unstable();
        let first = ("message.received", (Some("One came."), None, vec![]));
        let of_acme = (Some("Now said."), None, vec!["ACCESS", "MEDIA"]);
        let of_beta = (None, Some("MEDIA"), vec!["MEDIA"]);
        let expected = [
            ("*", first.0, first.1, (1, "enforce", None), Some("{}")),
            ("acme", "custom.a", of_acme, (3, "off", Some("mona")), Some(r#"{"title":"3"}"#)),
            ("beta", "custom.a", of_beta, (2, "off", None), Some("true")),
        ];
        assert_eq!(told, expected);
        let (acme, _) = changed.into_iter().find(|(row, _)| row.org == "acme").unwrap();
        assert_eq!((acme.compatibility.as_deref(), acme.policy.as_deref()), (None, None));
        assert_eq!((acme.revision, acme.deleted_at), (5, None));
        let versions =
            crate::schemas::versions(conn, "acme", "custom.a", (None, 10)).await.unwrap();
        let by: Vec<_> =
            versions.iter().map(|row| (row.version, row.created_by.as_deref())).collect();
        assert_eq!(by, [(3, Some("lea")), (2, Some("lea")), (1, Some("mona"))]);

        let schema = Some(r#"{"title":"4"}"#.to_owned());
        let change = crate::schemas::Change { row: acme, schema, changed_by: None };
        let next = crate::schemas::put(conn, &change).await.unwrap();
        assert_eq!((next.latest, next.revision), (4, 6), "it can be changed like any other");
    }

    async fn old_rows_survive(mut conn: Conn, [id, body, time]: [&str; 3]) {
        run_some(&mut conn, &MIGRATIONS[..4]).await.unwrap();
        let rows = OLD_ROWS.replace("{id}", id).replace("{body}", body).replace("{time}", time);
        conn.batch(&rows).await.unwrap();
        run(&mut conn).await.unwrap();

        let id = uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let stored = crate::events::get(&mut conn, "default", id).await.unwrap().unwrap();
        assert_eq!(stored.sequence, 7);
        assert_eq!(stored.event.payload.as_str(), r#"{"n": 1.50, "s": "é\u0000"}"#);
        assert_eq!(stored.event.metadata.correlation_id, "c-1");
        assert_eq!(stored.outcome.unwrap().status, "failed");
        let kept = crate::payloads::list(&mut conn, "default", id, 1 << 20).await.unwrap();
        assert_eq!(kept[0].body, crate::payloads::Body::Bytes(b"\x00\xffa".to_vec()));
        let outcome = crate::schema::event_outcomes::table
            .select(crate::schema::event_outcomes::received_at)
            .row(&mut conn);
        let received_at: Option<chrono::DateTime<chrono::Utc>> = outcome.await.unwrap();
        assert_eq!(received_at, Some(stored.event.received_at));
        versions_became_types(&mut conn).await;
    }

    #[tokio::test]
    async fn old_rows_survive_on_sqlite() {
        use diesel::Connection as _;
        let lite = diesel::SqliteConnection::establish(":memory:").unwrap();
        let values = ["x'01900000000070008000000000000001'", "x'00ff61'", "1795255200123456"];
        old_rows_survive(Conn::sqlite(lite, None), values).await;
    }

    #[tokio::test]
    async fn old_rows_survive_on_postgres() {
        let location = crate::testing::temporary_schema(&crate::testing::server_url()).await;
        let crate::Location::Postgres(url) = location else { panic!("a schema on PostgreSQL") };
        let (client, connection) =
            tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let pg =
            diesel_async::AsyncPgConnection::try_from_client_and_connection(client, connection)
                .await
                .unwrap();
        let values = [
            "'01900000-0000-7000-8000-000000000001'",
            "'\\x00ff61'",
            "'2026-11-21T18:00:00.123456Z'",
        ];
        old_rows_survive(Conn::postgres(pg), values).await;
    }
}
