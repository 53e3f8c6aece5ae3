//! The binary mode: attributes as headers `ce-*`, the body is the data.

use bytes::Bytes;

use super::{Attributes, CloudEvent, InvalidCloudEvent, begins_with, invalid};

const PREFIX: &str = "ce-";

pub(super) fn read(
    headers: &[(&str, &str)],
    content_type: Option<&str>,
    body: &Bytes,
) -> Result<CloudEvent, InvalidCloudEvent> {
    let mut attributes = Attributes::default();
    for (name, value) in headers.iter().filter(|(name, _)| begins_with(name, PREFIX)) {
        let name = name[PREFIX.len()..].to_ascii_lowercase();
        let value = decode(value).ok_or_else(|| invalid(&name, "is not UTF-8"))?;
        attributes.add(&name, value)?;
    }
    let mut event = CloudEvent::build(attributes, body.clone())?;
    // The binding of HTTP has the type of the data there, and some senders of NATS do so, too.
    let content_type = content_type.filter(|kind| !kind.is_empty()).map(str::to_owned);
    event.content_type = event.content_type.or(content_type);
    Ok(event)
}

/// The value of a header: without its quotes, `%xx` as the byte it stands for. `None` when that is not UTF-8.
fn decode(value: &str) -> Option<String> {
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = quoted.map_or_else(|| value.to_owned(), unescape);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| Some(hex(digits[0])? << 4 | hex(digits[1])?));
        let (byte, taken) = match digits {
            Some(byte) if *first == b'%' => (byte, 2),
            _ => (*first, 0),
        };
        bytes.push(byte);
        rest = &tail[taken..];
    }
    String::from_utf8(bytes).ok()
}

fn unescape(quoted: &str) -> String {
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        text.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    text
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}
