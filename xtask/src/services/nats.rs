//! A private NATS server with JetStream.

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::Error;
use crate::process::Progress;
use crate::services::keeper::{self, Keeper, Start};

/// A server that does not greet within this time on a loopback connection is not ready yet.
const GREETING: Duration = Duration::from_millis(500);

pub(super) fn find() -> Option<PathBuf> {
    // Debian puts servers where the path of an ordinary user does not look.
    let folders = super::search_path().into_iter().chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("nats-server")).find(|program| program.is_file())
}

pub(super) fn start(program: &Path, progress: &Progress) -> Result<(Keeper, String), Error> {
    let port = super::free_port()?;
    progress.say(&format!("starting NATS on port {port}, waiting until it greets"));
    let directory = keeper::directory("omni-nats-")?;
    let store = directory.path().join("jetstream").display().to_string();
    let mut keeper = Keeper::start(Start {
        name: "NATS",
        program: program.to_owned(),
        arguments: ["-js", "-sd", &store, "-a", "127.0.0.1", "-p", &port.to_string()]
            .map(ToOwned::to_owned)
            .to_vec(),
        stop_signal: "TERM",
        user: None,
        directory,
    })?;
    keeper.wait_until(|| greets(port))?;
    Ok((keeper, format!("nats://127.0.0.1:{port}")))
}

/// A NATS server speaks first.
fn greets(port: u16) -> bool {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let Ok(mut stream) = TcpStream::connect_timeout(&address, GREETING) else {
        return false;
    };
    let mut head = [0; 5];
    stream.set_read_timeout(Some(GREETING)).is_ok()
        && stream.read_exact(&mut head).is_ok()
        && &head == b"INFO "
}
