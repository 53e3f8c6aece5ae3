//! Stores for tests: a SQLite file that goes away, a schema of its own on a PostgreSQL server, and a whole server.

mod postgres_server;
mod programs;

use tempfile::TempDir;
use tokio_postgres::NoTls;

pub use self::postgres_server::{PostgresServer, Stop};
use crate::{Location, Store};

/// Names the variable that `cargo xtask test` sets: the URL of a PostgreSQL server for tests.
const SERVER: &str = "OMNI_TEST_DATABASE_URL";

/// The PostgreSQL server for tests.
///
/// # Panics
/// When the test was not started by `cargo xtask test`, which starts a server.
#[expect(clippy::disallowed_methods, reason = "no server crate reads the environment of a test")]
pub fn server_url() -> String {
    let Ok(url) = std::env::var(SERVER) else {
        panic!("this test needs PostgreSQL: run `cargo xtask test`");
    };
    url
}

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
impl Store {
    /// A store on SQLite, in a directory that goes away with the last clone of the store.
    pub async fn temporary() -> Self {
        let dir = TempDir::new().expect("a directory for a test");
        Self::open_in(dir).await.expect("a store in a new directory")
    }

    /// A store on PostgreSQL, in a new schema on the server at `url`; it stays there until the server goes away.
    pub async fn temporary_postgres(url: &str) -> Self {
        Self::open(&temporary_schema(url).await).await.expect("a store in a new schema")
    }

    /// Runs statements without values, for what no query of this crate does: taking rows out behind its back.
    pub async fn run_sql(&self, sql: &str) {
        let mut conn = self.write().await.expect("a connection that writes");
        conn.batch(sql).await.expect("the statements are valid");
    }
}

/// Makes a schema with a name that nobody else has, and answers the location whose tables live in it.
#[expect(clippy::expect_used, reason = "a test fails by panicking")]
pub async fn temporary_schema(url: &str) -> Location {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the PostgreSQL server for tests answers");
    let driver = tokio::spawn(connection);
    let name = "SELECT 'omni_' || replace(gen_random_uuid()::text, '-', '')";
    let name: String = client.query_one(name, &[]).await.expect("a random name").get(0);
    client.batch_execute(&format!("CREATE SCHEMA {name}")).await.expect("a new schema");
    drop(client);
    driver.await.expect("the driver ends").expect("the connection ends well");
    let mark = if url.contains('?') { '&' } else { '?' };
    Location::Postgres(format!("{url}{mark}options=-csearch_path%3D{name}"))
}
