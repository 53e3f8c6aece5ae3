//! Where a store lies while it is measured: made for it, asked for its size, and removed.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
};

use omni_store::{Location, testing};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

impl Database {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// An empty place, which goes away with [`Place::remove`], or when the folder and the server do.
pub(crate) struct Place {
    pub(crate) location: Location,
    /// For the database and the bus.
    pub(crate) folder: TempDir,
}

impl Place {
    /// A place in a folder, or on a server.
    pub(crate) async fn new(database: Database, folder: &Path, server: Option<&str>) -> Self {
        let folder = TempDir::new_in(folder).unwrap();
        let location = match database {
            Database::Sqlite => Location::Sqlite(folder.path().join("omni.db")),
            Database::Postgres => testing::temporary_schema(server.unwrap()).await,
        };
        Self { location, folder }
    }

    /// Bytes on the disk, with all indexes; the write-ahead log is copied into the tables before.
    pub(crate) async fn size(&self) -> u64 {
        match &self.location {
            Location::Sqlite(path) => {
                let lite = rusqlite::Connection::open(path).unwrap();
                let busy: i64 = lite
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
                    .unwrap();
                assert_eq!(busy, 0, "somebody still reads");
                let files = [path.clone(), with_suffix(path, "-wal")];
                // Without readers the log goes away with its last connection.
                let sizes = files.iter().filter_map(|file| file.metadata().ok());
                sizes.map(|found: Metadata| found.len()).sum()
            }
            Location::Postgres(url) => {
                let client = connect(url).await;
                let total = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
                    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')";
                let total: i64 = client.query_one(total, &[]).await.unwrap().get(0);
                u64::try_from(total).unwrap()
            }
        }
    }

    /// Each table and index with its bytes, largest first, for people.
    pub(crate) async fn sizes(&self) -> Vec<(String, u64)> {
        match &self.location {
            // SQLite is built without the table that tells.
            Location::Sqlite(_) => Vec::new(),
            Location::Postgres(url) => {
                let each = "SELECT relname::text, (CASE relkind WHEN 'r' THEN pg_table_size(oid)
                        ELSE pg_relation_size(oid) END)::bigint AS size FROM pg_class
                    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i')
                    ORDER BY size DESC LIMIT 16";
                let rows = connect(url).await.query(each, &[]).await.unwrap();
                rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1) as u64)).collect()
            }
        }
    }

    /// What the database does by itself in the hours that follow: statistics, and old rows out of the way.
    pub(crate) async fn settle(&self) {
        let Location::Postgres(url) = &self.location else { return };
        let client = connect(url).await;
        let tables = "SELECT relname::text FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'";
        for row in client.query(tables, &[]).await.unwrap() {
            let table: String = row.get(0);
            client.batch_execute(&format!("VACUUM (ANALYZE) {table}")).await.unwrap();
        }
        client.batch_execute("CHECKPOINT").await.unwrap();
    }

    /// Removes everything.
    pub(crate) async fn remove(self) {
        if let Location::Postgres(url) = &self.location {
            let client = connect(url).await;
            let schema = client.query_one("SELECT current_schema()::text", &[]).await.unwrap();
            let schema: String = schema.get(0);
            client.batch_execute(&format!("DROP SCHEMA {schema} CASCADE")).await.unwrap();
            // The files go at once, so that the next round finds an idle disk.
            client.batch_execute("CHECKPOINT").await.unwrap();
        }
        self.folder.close().unwrap();
    }
}

/// A connection of its own, without the product's pool.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The process that all processes of the server belong to; the server runs on this machine.
pub(crate) async fn server_process(url: &str) -> u32 {
    let client = connect(url).await;
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let stat = std::fs::read_to_string(format!("/proc/{backend}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    fields.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The version of the server.
pub(crate) async fn server_version(url: &str) -> String {
    connect(url).await.query_one("SHOW server_version", &[]).await.unwrap().get(0)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
