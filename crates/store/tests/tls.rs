//! Encrypted connections to PostgreSQL: who is believed, who is refused, and what the refusal says.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use omni_store::{
    Error, Location, Store, outbox,
    testing::{PostgresServer, Stop},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

/// Somebody who vouches for servers.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, as a file for `sslrootcert`.
    file: PathBuf,
    _dir: TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ca.pem");
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, _dir: dir }
    }

    /// Starts a server that this authority vouches for under the name.
    async fn server(&self, name: &str) -> PostgresServer {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        PostgresServer::start_with_tls(&certificate.pem(), &key.serialize_pem()).await
    }
}

async fn open(server: &PostgresServer, host: &str, options: &str) -> Result<Store, Error> {
    let url = format!("{}?{options}", server.url_at(host));
    Store::open(&Location::Postgres(url)).await
}

/// The refusal, which must say what to do and not the password.
async fn refusal(server: &PostgresServer, host: &str, options: &str) -> String {
    let error = open(server, host, options).await.expect_err(options);
    let text = error.to_string();
    assert!(matches!(error, Error::Connect { .. }), "{text}");
    assert!(!text.contains("password of the test"), "{text}");
    text
}

async fn encrypted(server: &PostgresServer) -> i64 {
    let sql = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
               WHERE ssl AND version = 'TLSv1.3' AND application_name = 'omni'";
    server.ask(sql).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_proves_who_it_is_is_believed_under_its_name_only() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = ours.server("localhost").await;
    let (root, wrong_root) = (ours.file.display(), other.file.display());

    // With the password tied to the certificate, so that nobody in between could have passed it on.
    let full = format!("sslmode=verify-full&sslrootcert={root}&channel_binding=require");
    let store = open(&server, "localhost", &full).await.unwrap();
    let mut conn = store.write().await.unwrap();
    outbox::claim_writer(&mut conn, "writer", chrono::DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(encrypted(&server).await, 1);
    drop(conn);
    drop(store);

    for mode in ["require", "verify-full"] {
        let options = format!("sslmode={mode}&sslrootcert={root}");
        open(&server, "localhost", &options).await.unwrap();
        let text = refusal(&server, "127.0.0.1", &options).await;
        assert!(text.contains("connect by the name that the certificate is for"), "{text}");
        for roots in ["system".to_owned(), wrong_root.to_string()] {
            let options = format!("sslmode={mode}&sslrootcert={roots}");
            let text = refusal(&server, "localhost", &options).await;
            assert!(text.contains("nobody who is trusted vouches for the server"), "{text}");
        }
        // What libpq would take without a look at it.
        let text = refusal(&server, "localhost", &format!("sslmode={mode}")).await;
        assert!(text.contains("UnknownIssuer"), "{text}");
    }

    let any_name = format!("sslmode=verify-ca&sslrootcert={root}");
    open(&server, "127.0.0.1", &any_name).await.unwrap();
    let wrong = format!("sslmode=verify-ca&sslrootcert={wrong_root}");
    let text = refusal(&server, "127.0.0.1", &wrong).await;
    assert!(text.contains("nobody who is trusted"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prefer_encrypts_where_it_can_and_disable_never() {
    let server = Authority::new().server("somewhere.else").await;
    for (options, wanted) in
        [("sslmode=prefer", 1), ("connect_timeout=5", 1), ("sslmode=disable", 0)]
    {
        let store = open(&server, "127.0.0.1", options).await.unwrap();
        let conn = store.read().await.unwrap();
        let all = server.connections().await;
        assert_eq!(encrypted(&server).await, wanted * all, "{options}");
        drop(conn);
        drop(store);
        server.cut_off_all().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_encryption_is_refused_by_require_and_taken_by_prefer() {
    let server = PostgresServer::start().await;
    for options in ["sslmode=require", "sslmode=verify-full"] {
        let text = refusal(&server, "127.0.0.1", options).await;
        assert!(text.contains("turn TLS on at the server"), "{text}");
    }
    open(&server, "127.0.0.1", "sslmode=prefer").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_a_missing_root_file_say_so() {
    let server = Authority::new().server("localhost").await;
    let url = server.url().replace("omni:a", "omni:b");
    let error = Store::open(&Location::Postgres(url)).await.unwrap_err().to_string();
    assert!(error.contains("check the user, the password and the database"), "{error}");

    let dir = tempfile::tempdir().unwrap();
    let (empty, missing) = (dir.path().join("empty.pem"), dir.path().join("missing.pem"));
    std::fs::write(&empty, "nothing").unwrap();
    for (file, wanted) in [(&empty, "it holds no certificate"), (&missing, "missing.pem: ")] {
        let options = format!("sslmode=verify-full&sslrootcert={}", file.display());
        let error = open(&server, "localhost", &options).await.unwrap_err();
        assert!(matches!(&error, Error::Location(text) if text.contains(wanted)), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let url = format!("postgres://omni@{address}/postgres?connect_timeout=1");
    let error = Store::open(&Location::Postgres(url)).await.unwrap_err().to_string();
    assert!(error.contains(&address.to_string()), "{error}");
    assert!(error.contains("did not let us in for 1 s"), "{error}");
}

/// The first who asks after an outage gets a connection, whatever the pool held before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_goes_on_after_every_loss() {
    let mut server = PostgresServer::start().await;
    let store = Store::open(&Location::Postgres(server.url())).await.unwrap();
    let claim = async |name: &str| {
        let mut conn = store.write().await?;
        outbox::claim_writer(&mut conn, name, chrono::DateTime::UNIX_EPOCH).await
    };
    for how in [Stop::Fast, Stop::Immediate] {
        // More than one connection is idle when the server goes.
        let held = (store.write().await.unwrap(), store.write().await.unwrap());
        drop(held);
        let mut busy = store.write().await.unwrap();
        server.stop(how).await;
        let lost = outbox::claim_writer(&mut busy, "lost", chrono::DateTime::UNIX_EPOCH).await;
        assert!(matches!(lost, Err(Error::Lost(_))), "{lost:?}");
        drop(busy);
        let error = claim("down").await.unwrap_err();
        assert!(matches!(&error, Error::Connect { .. } | Error::Lost(_)), "{error}");
        server.start_again().await;
        claim("up").await.unwrap();
    }
    let mut idle = store.write().await.unwrap();
    assert!(server.cut_off_all().await > 0);
    let lost = outbox::claim_writer(&mut idle, "lost", chrono::DateTime::UNIX_EPOCH).await;
    assert!(matches!(lost, Err(Error::Lost(_))), "{lost:?}");
    drop(idle);
    claim("again").await.unwrap();
    assert_eq!(server.connections().await, 1);
}
