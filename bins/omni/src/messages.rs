//! Server-sent events, cut out of the bytes as they come. It must stay true that it does not matter where the bytes
//! break, and that a message without end does not fill the memory.

use crate::client::Stream;
use crate::error::Error;

/// The longest message that is taken; an event is at most 16 MiB.
const MESSAGE_MAX: usize = 32 << 20;

/// Those that have come and were not read yet.
#[derive(Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    /// So many have no end of a message.
    searched: usize,
}

/// One of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<i64>,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Messages {
    /// The next message of the stream, as soon as it is complete; `None` when the server has ended the stream.
    pub(crate) async fn read(&mut self, stream: &mut Stream) -> Result<Option<Message>, Error> {
        loop {
            if let Some(message) = self.next() {
                return Ok(Some(message));
            }
            if self.bytes.len() > MESSAGE_MAX {
                let what = format!("a message is longer than {MESSAGE_MAX} bytes");
                return Err(Error::Answer { what, place: stream.place.clone() });
            }
            let Some(bytes) = stream.next().await? else { return Ok(None) };
            self.bytes.extend_from_slice(&bytes);
        }
    }

    /// The next message that is complete.
    fn next(&mut self) -> Option<Message> {
        let rest = self.bytes.get(self.searched..).unwrap_or_default();
        let Some(end) = rest.windows(2).position(|pair| pair == b"\n\n") else {
            self.searched = self.bytes.len().saturating_sub(1);
            return None;
        };
        let text: Vec<u8> = self.bytes.drain(..self.searched + end + 2).collect();
        self.searched = 0;
        let mut message = Message::default();
        for line in String::from_utf8_lossy(&text).lines() {
            // What begins with a colon is a comment, which says that the stream lives.
            let Some((field, value)) = line.split_once(':') else { continue };
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => message.id = value.parse().ok(),
                "event" => value.clone_into(&mut message.event),
                "data" => message.data.push_str(value),
                _ => {}
            }
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_wherever_the_bytes_break() {
        let text = "id: 7\n\n:\n\nid: 8\nevent: custom.a\ndata: {\"é\": 1}\n\nid: 9\n";
        for size in 1..text.len() {
            let mut messages = Messages::default();
            let mut found = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                messages.bytes.extend_from_slice(piece);
                found.extend(std::iter::from_fn(|| messages.next()));
            }
            let event =
                Message { id: Some(8), event: "custom.a".into(), data: "{\"é\": 1}".into() };
            let begin = Message { id: Some(7), ..Message::default() };
            assert_eq!(found, [begin, Message::default(), event], "in pieces of {size}");
            assert_eq!(messages.bytes.len(), 6);
        }
    }
}
