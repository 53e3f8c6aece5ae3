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
    conn.begin().await?;
    let result = run_missing(conn).await;
    conn.end(result).await
}

async fn run_missing(conn: &mut Conn) -> Result<()> {
    if conn.kind() == Kind::Postgres {
        conn.batch(LOCK).await?;
    }
    conn.batch("CREATE TABLE IF NOT EXISTS omni_migrations (version TEXT PRIMARY KEY)").await?;
    let done: Vec<String> = m::table.select(m::version).rows(conn).await?;
    let done: HashSet<&str> = done.iter().map(String::as_str).collect();
    warn_of_newer(&done);
    for migration in MIGRATIONS.iter().filter(|migration| !done.contains(migration.version)) {
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
}
