//! Bytes on a socket, for senders that no HTTP client would be.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use omni_testing::{Http, PATIENCE, SECRET, github};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Wire(pub(crate) TcpStream);

impl Wire {
    /// Connects from 127.0.0.1.
    pub(crate) async fn open(to: SocketAddr) -> Self {
        Self::open_from([127, 0, 0, 1], to).await
    }

    /// Connects from an address of this machine.
    pub(crate) async fn open_from(from: [u8; 4], to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((IpAddr::from(Ipv4Addr::from(from)), 0).into()).unwrap();
        Self(socket.connect(to).await.unwrap())
    }

    /// Sends bytes; whether the server takes them shows in its answer.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// All that comes until the server closes, also when it closes by a reset.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let reading = async { while self.0.read_buf(&mut all).await.is_ok_and(|read| read > 0) {} };
        timeout(PATIENCE, reading).await.expect("the server closes the connection");
        all
    }

    /// The same as text.
    pub(crate) async fn rest_as_text(&mut self) -> String {
        String::from_utf8_lossy(&self.rest().await).into_owned()
    }

    /// The status of the next answer, whose body is read too. None when the server closes instead.
    pub(crate) async fn status(&mut self) -> Option<u16> {
        let mut head = Vec::new();
        let reading = async {
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.0.read_u8().await.ok()?);
            }
            let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
            let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.map_or(0, |length| length.trim().parse().unwrap());
            self.0.read_exact(&mut vec![0; length]).await.ok()?;
            text.split(' ').nth(1)?.parse().ok()
        };
        timeout(PATIENCE, reading).await.expect("the server answers or closes")
    }

    /// Asks whether the server lives, over this connection.
    pub(crate) async fn healthz(&mut self) -> Option<u16> {
        self.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        self.status().await
    }
}

/// A number of `/metrics`.
pub(crate) async fn number(http: &Http, name: &str) -> u64 {
    let text = http.get("/metrics").await.expect(200).text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).parse().unwrap()
}

/// How often the listener refused something for this cause.
pub(crate) async fn refused(http: &Http, cause: &str) -> u64 {
    let name = format!("omni_connections_refused_total{{listener=\"main\",cause=\"{cause}\"}}");
    number(http, &name).await
}

/// The head of a push that GitHub has signed.
pub(crate) fn delivery(id: &str, body: &str) -> String {
    let length = ("content-length".to_owned(), body.len().to_string());
    let headers = github::headers(SECRET, "push", id, body.as_bytes()).into_iter().chain([length]);
    let lines: Vec<_> = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST /webhooks/github HTTP/1.1\r\nHost: hooks.example\r\n{}\r\n", lines.concat())
}
