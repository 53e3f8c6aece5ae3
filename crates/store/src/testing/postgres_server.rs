//! A PostgreSQL server of one test: a process on a port and data of its own, to be stopped and started again.
//!
//! What must stay true: it ends with the test, also when the test is killed.

#![expect(clippy::expect_used, reason = "a test that cannot have its server cannot go on")]

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use super::programs::{self, User};

/// Ports that no system gives to outgoing connections: while the server is down nobody must get its port, and a client
/// that tries to reach it must not reach itself.
const PORTS: Range<u64> = 10_000..30_000;
/// Longest wait until a started server takes connections; after a crash it reads its log first.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that starts is asked whether it takes connections.
const ASK_EVERY: Duration = Duration::from_millis(5);
/// The password of the user of a server with TLS.
const PASSWORD: &str = "a password of the test";

/// Runs the server until it is told how to stop, or until whoever would tell is gone.
const SCRIPT: &str = r#"
log=$1
shift
exec 3<&0
"$@" >>"$log" 2>&1 3<&- </dev/null &
server=$!
(how=; read -r how <&3; kill -s "${how:-QUIT}" $server) 2>/dev/null &
watch=$!
wait $server
status=$?
kill $watch 2>/dev/null
exit $status
"#;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It sends its clients away, writes everything down, and ends.
    Fast,
    /// It drops everything at once, as a crash would, and recovers when it starts again.
    Immediate,
}

/// A PostgreSQL server that belongs to one test; it ends when it is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    folder: PathBuf,
    user: Option<User>,
    directory: TempDir,
    /// Whether it has a certificate, and so wants a password.
    has_tls: bool,
    /// Nothing while it is down.
    child: Option<Child>,
}

impl PostgresServer {
    /// Starts a server that lets everybody of this machine in, without TLS.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_configured(None).await
    }

    /// Starts a server with this certificate and key, as PEM; it wants a password, which stands in its URL.
    ///
    /// # Panics
    /// When PostgreSQL is not installed, or does not start.
    pub async fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::start_configured(Some((certificate, key))).await
    }

    async fn start_configured(tls: Option<(&str, &str)>) -> Self {
        let (folder, user) = (programs::folder(), programs::user());
        // Short, because the path of a Unix socket must fit in 107 bytes.
        let directory = tempfile::Builder::new().prefix("omni-pg-").tempdir();
        let directory = directory.expect("a temporary directory");
        programs::give(directory.path(), user);
        let has_tls = tls.is_some();
        let mut server = Self { port: free_port(), folder, user, directory, has_tls, child: None };
        let password = server.write("password", PASSWORD);
        let mut initdb = server.command("initdb");
        initdb.arg("-D").arg(server.data()).args(["-U", "omni", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--auth-local=trust"]).arg("--pwfile").arg(password);
        let auth = if has_tls { "scram-sha-256" } else { "trust" };
        let made = initdb.arg(format!("--auth-host={auth}")).output().expect("initdb runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        if let Some((certificate, key)) = tls {
            server.write("server.crt", certificate);
            server.write("server.key", key);
        }
        server.start_again().await;
        server
    }

    /// Its address, with the password if it wants one.
    pub fn url(&self) -> String {
        self.url_at("127.0.0.1")
    }

    /// Its address by another name of this machine.
    pub fn url_at(&self, host: &str) -> String {
        let log_in = if self.has_tls {
            format!("omni:{}", PASSWORD.replace(' ', "%20"))
        } else {
            "omni".to_owned()
        };
        format!("postgres://{log_in}@{host}:{}/postgres", self.port)
    }

    /// Stops it and waits until it has ended.
    ///
    /// # Panics
    /// When it is down already.
    pub async fn stop(&mut self, how: Stop) {
        let mut child = self.child.take().expect("the server runs");
        let signal = match how {
            Stop::Fast => "INT\n",
            Stop::Immediate => "QUIT\n",
        };
        let mut pipe = child.stdin.take().expect("its script listens");
        pipe.write_all(signal.as_bytes()).expect("its script listens");
        let ended = tokio::task::spawn_blocking(move || child.wait()).await;
        ended.expect("a thread that waits").expect("its script ends");
    }

    /// Starts it on the same data and port, and waits until it takes connections.
    ///
    /// # Panics
    /// When it does not come up, or runs already.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server runs");
        self.child = Some(self.spawn());
        let deadline = Instant::now() + PATIENCE;
        while tokio_postgres::connect(&self.url(), NoTls).await.is_err() {
            let ended =
                self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!ended && Instant::now() < deadline, "PostgreSQL did not start: {}", log());
            pause().await;
        }
    }

    /// Cuts off every connection that this product has made; returns how many there were.
    ///
    /// # Panics
    /// When it is down.
    pub async fn cut_off_all(&self) -> i64 {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE application_name = 'omni' AND pid <> pg_backend_pid()";
        self.ask(sql).await
    }

    /// How many connections this product has to it.
    ///
    /// # Panics
    /// When it is down.
    pub async fn connections(&self) -> i64 {
        self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'omni'").await
    }

    /// Runs a query that answers one whole number (`bigint`).
    ///
    /// # Panics
    /// When it is down, or does not like the query.
    pub async fn ask(&self, sql: &str) -> i64 {
        let (client, connection) =
            tokio_postgres::connect(&self.url(), NoTls).await.expect("the server is up");
        let driver = tokio::spawn(connection);
        let answer = client.query_one(sql, &[]).await.expect("an answer").get(0);
        drop(client);
        driver.await.expect("the driver ends").expect("the connection ends well");
        answer
    }

    fn spawn(&self) -> Child {
        let mut command = programs::as_user(Command::new("sh"), self.user);
        command.args(["-c", SCRIPT, "postgres"]).arg(self.log());
        command.arg(self.folder.join("postgres")).arg("-D").arg(self.data());
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k"]);
        command.arg(self.directory.path());
        if self.has_tls {
            for (name, file) in [("ssl_cert_file", "server.crt"), ("ssl_key_file", "server.key")] {
                let path = self.directory.path().join(file);
                command.arg("-c").arg(format!("{name}={}", path.display()));
            }
            command.args(["-c", "ssl=on"]);
        }
        command.current_dir(self.directory.path());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("a shell")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = programs::as_user(Command::new(self.folder.join(program)), self.user);
        command.current_dir(self.directory.path());
        command
    }

    /// Writes a file that only the server may read.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("a file");
        programs::give(&path, self.user);
        path
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The end of the pipe stops the server; its files go afterwards.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    let mut candidates = std::iter::repeat_with(|| {
        let random = RandomState::new().hash_one(std::process::id());
        let port = PORTS.start + random % (PORTS.end - PORTS.start);
        u16::try_from(port).expect("a port")
    });
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a program of another project gives nothing to wait for; it has to be asked again"
)]
async fn pause() {
    sleep(ASK_EVERY).await;
}
