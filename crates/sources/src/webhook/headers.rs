//! Headers: what is kept of them beside an event, and what a sender may say about its request with them.

use http::{HeaderMap, HeaderName, header::CONTENT_TYPE};
use omni_event_log::kept_headers;

/// Longest content type that is taken over, in bytes.
const VALUE_LEN_MAX: usize = 4096;
/// Longest correlation id that is taken over.
const CORRELATION_LEN_MAX: usize = 128;

/// The headers in the order of arrival, without the values of secrets.
pub(crate) fn kept(headers: &HeaderMap, secret: Option<&HeaderName>) -> Vec<(String, String)> {
    kept_headers(pairs(headers), secret.map(HeaderName::as_str))
}

/// Names and values as they came.
pub(crate) fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}

fn text(value: &[u8]) -> String {
    let head = value.get(..VALUE_LEN_MAX).unwrap_or(value);
    String::from_utf8_lossy(head).into_owned()
}

/// The media type, as it was sent.
pub(crate) fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(CONTENT_TYPE).map(|value| text(value.as_bytes()))
}

/// The sender's correlation id, if it is visible ASCII of at most 128 bytes; another one is not used.
pub(crate) fn correlation_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-correlation-id")?.to_str().ok()?;
    is_correlation_id(value).then(|| value.to_owned())
}

/// Whether a text is visible ASCII of at most 128 bytes.
pub(crate) fn is_correlation_id(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= CORRELATION_LEN_MAX
        && value.bytes().all(|b| b.is_ascii_graphic())
}

/// The W3C trace context, if it is one of version 00; another one would break tracers downstream.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("traceparent")?.to_str().ok()?;
    is_traceparent(value).then(|| value.to_owned())
}

/// Whether a text is a W3C trace context of version 00.
pub(crate) fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { return false };
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    let set = |part: &str| part.bytes().any(|b| b != b'0');
    version == "00" && hex(trace, 32) && set(trace) && hex(span, 16) && set(span) && hex(flags, 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        headers.iter().map(pair).collect()
    }

    #[test]
    fn the_header_of_the_source_itself_is_not_kept() {
        let headers = map(&[("x-own", "canary"), ("authorization", "canary"), ("x-other", "v")]);
        let kept = kept(&headers, Some(&HeaderName::from_static("x-own")));
        assert_eq!(kept.len(), 3);
        assert!(kept.iter().all(|(_, value)| !value.contains("canary")), "{kept:?}");
        assert!(kept.contains(&("x-other".into(), "v".into())));
    }

    #[test]
    fn correlation_ids_are_visible_ascii() {
        let id = |value: &str| correlation_id(&map(&[("x-correlation-id", value)]));
        assert_eq!(id("req-1:/a").as_deref(), Some("req-1:/a"));
        for bad in ["", "a b", "é", "a\tb", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn trace_contexts_are_well_formed() {
        let of = |value: &str| traceparent(&map(&[("traceparent", value)]));
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(good).as_deref(), Some(good));
        for bad in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "garbage",
        ] {
            assert_eq!(of(bad), None, "{bad} was taken");
        }
    }
}
