//! The attack: a thread of its own, so that what it does is not counted as latency of the server.
//!
//! What the server closes is opened again, so the number of sockets stays.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use omni_clock::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::load::error::Error;

/// Addresses of this machine that the attack comes from: 127.0.1.1 and on.
const ADDRESSES: u64 = 40;
/// Pause between two bytes of those who trickle.
const TRICKLE: Duration = Duration::from_secs(10);
/// Pause before a closed socket is opened again.
const AGAIN: Duration = Duration::from_millis(200);
/// Pause between two bombs of each kind: fifty a second.
const BOMB: Duration = Duration::from_millis(20);
/// An endless body ends here if the server takes all of it.
const ENDLESS: usize = 64 * 1024 * 1024;

/// A running attack.
#[derive(Debug)]
pub(crate) struct Attack {
    stop: CancellationToken,
    thread: JoinHandle<std::io::Result<()>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicU64,
    closed: AtomicU64,
    bombs: AtomicU64,
}

/// What an attack did.
#[derive(Debug)]
pub(crate) struct Done {
    /// Sockets that the server closed.
    pub(crate) closed: u64,
    /// Requests with too much in them.
    pub(crate) bombs: u64,
}

/// How a socket is misused.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Silent,
    SlowHead,
    SlowBody,
}

impl Attack {
    /// Begins to open so many sockets: eight of ten silent, one with slow headers, one with a slow body.
    pub(crate) fn start(to: SocketAddr, sockets: u64) -> Result<Self, Error> {
        let (stop, counts) = (CancellationToken::new(), Arc::<Counts>::default());
        let (stopped, counted) = (stop.clone(), counts.clone());
        let packed: Arc<[u8]> = gzip_bomb()?.into();
        let thread = std::thread::Builder::new().name("attack".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                for number in 0..sockets {
                    let kind = match number % 10 {
                        0 => Kind::SlowHead,
                        1 => Kind::SlowBody,
                        _ => Kind::Silent,
                    };
                    tokio::spawn(hold(to, (number, kind), counted.clone()));
                }
                for (number, bomb) in bombs(&packed).into_iter().enumerate() {
                    tokio::spawn(throw(to, number as u64, bomb, counted.clone()));
                }
                stopped.cancelled().await;
            });
            Ok(())
        })?;
        Ok(Self { stop, thread, counts })
    }

    /// Sockets that are open now.
    pub(crate) fn open(&self) -> u64 {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Result<Done, Error> {
        self.stop.cancel();
        let ended = self.thread.join().map_err(|_| Error::new("the attack panicked"))?;
        ended?;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Ok(Done { closed: read(&self.counts.closed), bombs: read(&self.counts.bombs) })
    }
}

/// Connects from the address that belongs to a number.
async fn connect(to: SocketAddr, number: u64) -> std::io::Result<TcpStream> {
    let last = u8::try_from(number % ADDRESSES + 1).unwrap_or(1);
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::from(Ipv4Addr::new(127, 0, 1, last)), 0).into())?;
    socket.connect(to).await
}

/// Keeps one socket open for ever.
async fn hold(to: SocketAddr, (number, kind): (u64, Kind), counts: Arc<Counts>) {
    let clock = SystemClock::new();
    loop {
        if let Ok(stream) = connect(to, number).await {
            counts.open.fetch_add(1, Ordering::Relaxed);
            misuse(stream, kind, &clock).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
            counts.closed.fetch_add(1, Ordering::Relaxed);
        }
        clock.sleep(AGAIN).await;
    }
}

/// Misuses a socket until the server closes it.
async fn misuse(mut stream: TcpStream, kind: Kind, clock: &SystemClock) {
    let begin: &[u8] = match kind {
        Kind::Silent => b"",
        Kind::SlowHead => b"POST /webhooks/github HTTP/1.1\r\nHost: hooks.example\r\nX: ",
        Kind::SlowBody => {
            b"POST /webhooks/github HTTP/1.1\r\nHost: hooks.example\r\nContent-Length: 1000\r\n\r\n"
        }
    };
    if stream.write_all(begin).await.is_err() {
        return;
    }
    let (mut read, mut write) = stream.split();
    let trickling = async {
        loop {
            clock.sleep(TRICKLE).await;
            let written = match kind {
                Kind::Silent => Ok(()),
                Kind::SlowHead | Kind::SlowBody => write.write_all(b"a").await,
            };
            if written.is_err() {
                return;
            }
        }
    };
    let mut answer = [0; 1024];
    let closed = async { while read.read(&mut answer).await.is_ok_and(|read| read > 0) {} };
    tokio::select! {
        () = trickling => {}
        () = closed => {}
    }
}

/// A request with too much in it.
#[derive(Clone, Debug)]
struct Bomb {
    head: Vec<u8>,
    /// Sent again and again until this many bytes are sent.
    piece: Arc<[u8]>,
    bytes: usize,
}

fn bombs(packed: &Arc<[u8]>) -> Vec<Bomb> {
    let request =
        "POST /webhooks/github HTTP/1.1\r\nHost: hooks.example\r\nX-GitHub-Event: push\r\n";
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let many: Vec<_> = (0..5000).map(|number| format!("X-{number}: 1\r\n")).collect();
    let many = many.concat();
    let long = format!("X: {}\r\n", "a".repeat(1024 * 1024));
    let whole = |head: String| Bomb { head: head.into_bytes(), piece: Arc::new([]), bytes: 0 };
    vec![
        Bomb {
            head: format!("{request}Transfer-Encoding: chunked\r\n\r\n").into_bytes(),
            piece: chunk.into_bytes().into(),
            bytes: ENDLESS,
        },
        whole(format!("{request}{many}\r\n")),
        whole(format!("{request}{long}\r\n")),
        Bomb {
            head: format!(
                "{request}Content-Encoding: gzip\r\nX-Hub-Signature-256: sha256={:064x}\r\nContent-Length: {}\r\n\r\n",
                1,
                packed.len()
            )
            .into_bytes(),
            piece: packed.clone(),
            bytes: packed.len(),
        },
    ]
}

/// Sends a bomb again and again.
async fn throw(to: SocketAddr, number: u64, bomb: Bomb, counts: Arc<Counts>) {
    let clock = SystemClock::new();
    loop {
        if let Ok(mut stream) = connect(to, number).await {
            counts.bombs.fetch_add(1, Ordering::Relaxed);
            let (mut read, mut write) = stream.split();
            let sending = async {
                write.write_all(&bomb.head).await?;
                let mut sent = 0;
                while sent < bomb.bytes {
                    write.write_all(&bomb.piece).await?;
                    sent += bomb.piece.len();
                }
                // Nobody needs the connection for another request.
                write.shutdown().await
            };
            let mut answer = [0; 1024];
            let closed = async { while read.read(&mut answer).await.is_ok_and(|read| read > 0) {} };
            let _ = tokio::join!(sending, closed);
        }
        clock.sleep(BOMB).await;
    }
}

/// Some 500 KB that unpack to 500 MB.
fn gzip_bomb() -> Result<Vec<u8>, Error> {
    let packed =
        Command::new("sh").args(["-c", "head -c 500000000 /dev/zero | gzip -9"]).output()?;
    if packed.status.success() && !packed.stdout.is_empty() {
        return Ok(packed.stdout);
    }
    Err(Error::new("no gzip bomb: is `gzip` installed?"))
}
