//! A private NATS server with JetStream: a process of its own on a free port, with a store directory of its own.

#![expect(clippy::expect_used, reason = "a test that cannot have its server cannot go on")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test finds its programs by the path, and asks until they run"
)]

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use omni_clock::Random;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

/// Where Debian puts servers, besides the path.
const FOLDER: &str = "/usr/sbin";
/// Ports that no system gives to outgoing connections: while the server is down nobody must get its port, and a client
/// that tries to reach it must not reach itself.
const PORTS: Range<u64> = 10_000..30_000;
/// Longest wait until a started server greets.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a server that starts is asked whether it greets.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// A NATS server that belongs to one test; killed when it is dropped.
#[derive(Debug)]
pub struct NatsServer {
    port: u16,
    /// What it calls itself, so that it is not taken for another one on the same port.
    name: String,
    directory: TempDir,
    /// Nothing while it is down.
    child: Option<Child>,
}

impl NatsServer {
    /// Starts a server with JetStream and no access control.
    ///
    /// # Panics
    /// When `nats-server` is not installed, or does not start.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// Starts a server whose configuration has these lines besides the usual: users, TLS, limits.
    ///
    /// # Panics
    /// When `nats-server` is not installed, or does not start.
    pub async fn start_with(lines: &str) -> Self {
        Self::start_configured(true, lines).await
    }

    /// Starts a server without JetStream.
    ///
    /// # Panics
    /// When `nats-server` is not installed, or does not start.
    pub async fn start_without_jetstream() -> Self {
        Self::start_configured(false, "").await
    }

    async fn start_configured(jetstream: bool, lines: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let name = format!("omni-{}-{port}", std::process::id());
        let mut config = format!("listen: \"127.0.0.1:{port}\"\nserver_name: \"{name}\"\n");
        if jetstream {
            let store = directory.path().join("data");
            let _ = writeln!(config, "jetstream {{ store_dir: \"{}\" }}", store.display());
        }
        config.push_str(lines);
        fs::write(directory.path().join("server.conf"), config).expect("a configuration");
        let mut server = Self { port, name, directory, child: None };
        server.restart().await;
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, to stop it for a while.
    ///
    /// # Panics
    /// While it is down.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("the server runs")
    }

    /// Kills it without a word, as a crash would.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill().await;
        }
    }

    /// Starts it again on the same port and directory; kills it first if it runs.
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        self.kill().await;
        let log = fs::File::create(self.directory.path().join("log")).expect("a log file");
        let child = Command::new(program())
            .arg("-c")
            .arg(self.directory.path().join("server.conf"))
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("nats-server starts");
        self.child = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while !greets(self.port, &self.name).await {
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            let ended =
                self.child.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(!ended && Instant::now() < deadline, "nats-server did not start: {}", log());
            sleep(ASK_EVERY).await;
        }
    }

    /// Kills it and removes everything it has stored; [`NatsServer::restart`] begins with nothing.
    ///
    /// # Panics
    /// When the files cannot be removed.
    pub async fn delete_data(&mut self) {
        self.kill().await;
        let data = self.directory.path().join("data");
        if data.exists() {
            fs::remove_dir_all(data).expect("the data can be removed");
        }
    }
}

fn free_port() -> u16 {
    let random = Random::from_entropy();
    let mut candidates = std::iter::repeat_with(|| {
        let port = PORTS.start + random.next_u64() % (PORTS.end - PORTS.start);
        u16::try_from(port).expect("a port")
    });
    candidates
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from(FOLDER)]);
    folders.map(|folder| folder.join("nats-server")).find(|program| program.is_file()).expect(
        "nats-server is installed: `cargo xtask test` does it, or `apt install nats-server`",
    )
}

/// A NATS server speaks first, and says who it is.
async fn greets(port: u16, name: &str) -> bool {
    let greeting = async {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).await.ok()?;
        Some(line.starts_with("INFO ") && line.contains(name))
    };
    timeout(Duration::from_secs(1), greeting).await.ok().flatten() == Some(true)
}
