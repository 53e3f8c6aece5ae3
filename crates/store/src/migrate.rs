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
    "#;

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
