//! What the payload of a message says of sender, recipient and content, for the columns that lists and searches use.
//!
//! What must stay true: whatever the metadata says stays, and nothing is taken over that a column could not hold.

use omni_events::{
    Direction, EventType, Metadata, Payload,
    payload::{Content, MessageFailed, MessageReceived, MessageSent},
};
use serde::de::DeserializeOwned;

use crate::check::{LABEL_LEN_MAX, MEDIA_URL_MAX, TEXT_MAX};

/// Fills what the metadata leaves open. A payload that does not fit its type fills nothing.
pub(crate) fn fill(metadata: &mut Metadata, event_type: &EventType, payload: &Payload) {
    match event_type.as_str() {
        "message.received" => {
            let Some(message) = read::<MessageReceived>(payload) else { return };
            metadata.direction.get_or_insert(Direction::Inbound);
            open(&mut metadata.sender_handle, label(message.from.id));
            open(&mut metadata.provider_event_id, message.message_id.and_then(label));
            content(metadata, message.content);
        }
        "message.sent" => {
            let Some(message) = read::<MessageSent>(payload) else { return };
            metadata.direction.get_or_insert(Direction::Outbound);
            open(&mut metadata.recipient_handle, label(message.to.id));
            open(&mut metadata.provider_event_id, message.message_id.and_then(label));
            content(metadata, message.content);
        }
        "message.failed" => {
            let Some(message) = read::<MessageFailed>(payload) else { return };
            metadata.direction.get_or_insert(Direction::Outbound);
            open(&mut metadata.recipient_handle, label(message.to.id));
            if let Some(written) = message.content {
                content(metadata, written);
            }
        }
        _ => {}
    }
}

fn read<T: DeserializeOwned>(payload: &Payload) -> Option<T> {
    serde_json::from_slice(payload.as_bytes()).ok()
}

fn content(metadata: &mut Metadata, content: Content) {
    open(&mut metadata.content_type, label(content.content_type));
    open(&mut metadata.content_text, content.text.and_then(text));
    let media = content.attachments.into_iter().next().map(|attachment| attachment.url);
    open(
        &mut metadata.content_media_url,
        media.filter(|url| is_short(url, MEDIA_URL_MAX) && !url.is_empty()),
    );
}

fn open(field: &mut Option<String>, found: Option<String>) {
    if field.is_none() {
        *field = found;
    }
}

/// A handle or a name, if it can be a column of an index.
fn label(found: String) -> Option<String> {
    (!found.is_empty() && is_short(&found, LABEL_LEN_MAX)).then_some(found)
}

fn is_short(found: &str, max: usize) -> bool {
    found.len() <= max && !found.contains(char::is_control)
}

/// A text to search: its beginning, if it is long; without NUL, which PostgreSQL has not.
fn text(mut found: String) -> Option<String> {
    found.truncate(found.floor_char_boundary(TEXT_MAX));
    if found.contains('\0') {
        found = found.replace('\0', " ");
    }
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(event_type: &str, payload: &str, mut metadata: Metadata) -> Metadata {
        let payload = Payload::parse(payload.to_owned().into()).unwrap();
        fill(&mut metadata, &EventType::parse(event_type).unwrap(), &payload);
        metadata
    }

    #[test]
    fn a_message_tells_who_wrote_what() {
        let payload = r#"{"messageId":"m-1","from":{"id":"+49151","tags":["vip"]},
            "content":{"type":"image","text":"look","attachments":[{"url":"https://a/b.jpg"},{"url":"c"}]}}"#;
        let found = filled("message.received", payload, Metadata::default());
        let expected = Metadata {
            direction: Some(Direction::Inbound),
            sender_handle: Some("+49151".to_owned()),
            provider_event_id: Some("m-1".to_owned()),
            content_type: Some("image".to_owned()),
            content_text: Some("look".to_owned()),
            content_media_url: Some("https://a/b.jpg".to_owned()),
            ..Metadata::default()
        };
        assert_eq!(found, expected);

        let payload = r#"{"to":{"id":"+49152"},"content":{"type":"text","text":"hi"}}"#;
        let found = filled("message.sent", payload, Metadata::default());
        assert_eq!(found.recipient_handle, Some("+49152".to_owned()));
        assert_eq!((found.sender_handle, found.direction), (None, Some(Direction::Outbound)));
        let payload = r#"{"to":{"id":"+49152"},"error":"gone"}"#;
        assert_eq!(
            filled("message.failed", payload, Metadata::default()).recipient_handle,
            Some("+49152".to_owned())
        );
    }

    #[test]
    fn what_the_sender_says_stays() {
        let said = Metadata {
            direction: Some(Direction::System),
            sender_handle: Some("somebody".to_owned()),
            content_text: Some("said".to_owned()),
            ..Metadata::default()
        };
        let payload = r#"{"from":{"id":"x"},"content":{"type":"text","text":"hi"}}"#;
        let found = filled("message.received", payload, said.clone());
        assert_eq!(found, Metadata { content_type: Some("text".to_owned()), ..said });
    }

    #[test]
    fn what_does_not_fit_fills_nothing() {
        let none = Metadata::default;
        assert_eq!(filled("message.received", r#"{"from":"x"}"#, none()), none());
        let payload = r#"{"from":{"id":"x"},"content":{"type":"text","text":"hi"}}"#;
        assert_eq!(filled("custom.message", payload, none()), none());
    }

    #[test]
    fn what_no_column_can_hold_is_left_out_or_cut() {
        let long = "é".repeat(TEXT_MAX);
        let payload = format!(
            r#"{{"messageId":"{long}","from":{{"id":"a\u0000"}},"content":{{"type":"","text":"a\u0000{long}"}}}}"#
        );
        let found = filled("message.received", &payload, Metadata::default());
        assert_eq!(
            (found.sender_handle, found.provider_event_id, found.content_type),
            (None, None, None)
        );
        let text = found.content_text.unwrap();
        assert!(text.starts_with("a é") && text.len() <= TEXT_MAX && text.len() > TEXT_MAX - 4);
    }
}
