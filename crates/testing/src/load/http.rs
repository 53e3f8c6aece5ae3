//! As much HTTP/1.1 as a cheap generator needs: kept connections, messages with a length.
//!
//! Both sides use it: requests out of the generator, and requests of the server's actions into the
//! receiver.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::error::Error;

/// No head that either side sends comes near this.
const HEAD_MAX: usize = 32 * 1024;
/// A page of 500 events of 2 KiB is 1 MiB.
const BODY_MAX: usize = 256 * 1024 * 1024;

/// A message: its first line and headers as text, and its body.
#[derive(Debug)]
pub(crate) struct Message {
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Message {
    /// The value of a header, if it is there.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The second word of the first line: the status of an answer, the path of a request.
    pub(crate) fn second_word(&self) -> &str {
        self.head.split_ascii_whitespace().nth(1).unwrap_or_default()
    }

    /// An error unless the status is one of success.
    pub(crate) fn success(self) -> Result<Self, Error> {
        if self.second_word().starts_with('2') {
            return Ok(self);
        }
        let line = self.head.lines().next().unwrap_or_default();
        Err(Error::new(format!("answered {line:?}: {}", String::from_utf8_lossy(&self.body))))
    }
}

/// A connection and what was read from it too early.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(addr: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::with_capacity(4096) }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads the next message; nothing if the other side closed between two of them.
    pub(crate) async fn read(&mut self) -> Result<Option<Message>, Error> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(Error::new("the head of a message is too long"));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                return Err(Error::new("the connection closed within a message"));
            }
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let mut message = Message { head, body: Vec::new() };
        let length = content_length(&message)?;
        while self.buffer.len() < head_end + length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(Error::new("the connection closed within a message"));
            }
        }
        message.body = self.buffer[head_end..head_end + length].to_vec();
        self.buffer.drain(..head_end + length);
        Ok(Some(message))
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Result<Message, Error> {
        self.write(request).await?;
        self.read().await?.ok_or_else(|| Error::new("the server closed instead of answering"))
    }
}

fn content_length(message: &Message) -> Result<usize, Error> {
    match message.header("content-length").map(str::parse) {
        Some(Ok(length)) if length <= BODY_MAX => Ok(length),
        Some(_) => Err(Error::new("a message has a content-length that cannot be")),
        None if message.header("transfer-encoding").is_some() => {
            Err(Error::new("a message comes in chunks, which this generator does not read"))
        }
        None => Ok(0),
    }
}

/// Asks the REST surface over a connection of its own. `body` makes it a POST.
pub(crate) async fn rest(
    addr: SocketAddr,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Error> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let text = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {addr}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    let place = format!("{method} {path}");
    let answer = Connection::open(addr).await?.ask(request.as_bytes()).await;
    let answer = answer.and_then(Message::success).map_err(|error| error.during(&place))?;
    serde_json::from_slice(&answer.body).map_err(|error| Error::from(error).during(&place))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn messages_are_told_apart_however_they_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let sender = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let text = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-A:  b \r\n\r\nabc\
                         HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n";
            for byte in text.chunks(7) {
                stream.write_all(byte).await.unwrap();
                stream.flush().await.unwrap();
            }
        });
        let mut connection = Connection::open(addr).await.unwrap();
        let first = connection.read().await.unwrap().unwrap();
        assert_eq!((first.second_word(), first.header("x-a")), ("200", Some("b")));
        assert_eq!(first.body, b"abc");
        let second = connection.read().await.unwrap().unwrap();
        assert!(second.success().unwrap_err().to_string().contains("503 Busy"));
        assert!(connection.read().await.unwrap().is_none());
        sender.await.unwrap();
    }
}
