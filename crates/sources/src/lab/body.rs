//! The body: something between the sender and us has read it and written it again.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};

use super::{
    Diagnosis,
    json::{self, Style},
    trial::{Change, Trial},
};

const FIX: &str = "have whatever stands in front (proxy, gateway, function) hand on the body byte for byte; the sender \
                   signed the bytes, not their meaning";

/// Tries what the body may have been when it was signed.
pub(super) fn diagnose(trial: &mut Trial<'_>, found: &mut Vec<Diagnosis>) {
    let body = &trial.incoming().body;
    if body.is_empty() {
        return;
    }
    for (cause, what, other) in plain(body) {
        if trial.fits(Change { body: Some(&other), ..Change::default() }) {
            found.push(Diagnosis::certain(cause, format!("it fits {what}"), FIX));
            return;
        }
    }
    if let Some(what) = written(trial, body) {
        let detail = format!("the body was read and written again: it was signed as {what}");
        found.push(Diagnosis::certain("body-reserialised", detail, FIX));
    }
}

/// Says what the body itself gives away, where nothing fits.
pub(super) fn suspect(trial: &Trial<'_>, found: &mut Vec<Diagnosis>) {
    let incoming = trial.incoming();
    let is_gzip = incoming.body.starts_with(&[0x1f, 0x8b]);
    if is_gzip || incoming.headers.contains_key(CONTENT_ENCODING) {
        let detail = "the body is compressed; most senders sign it before that";
        let fix = "have the sender, or the proxy in front, send it uncompressed";
        found.push(Diagnosis::likely("body-compressed", detail, fix));
    } else if incoming.body.is_empty() {
        let said = incoming.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
        let lost = said.is_some_and(|length| length != "0");
        let detail = if lost {
            "the body is empty although Content-Length says that there is one: something in front has read it"
        } else {
            "the body is empty: something in front may have read it, or a redirect has lost it"
        };
        let fix = "have the sender call this URL itself, without a redirect, and the proxy hand on the body";
        found.push(Diagnosis::likely("body-empty", detail, fix));
    }
}

type Found<'b> = (&'static str, &'static str, Cow<'b, [u8]>);

/// What needs no understanding of the body.
fn plain(body: &[u8]) -> Vec<Found<'_>> {
    const CHANGED: &str = "body-changed";
    let mut others: Vec<Found<'_>> = Vec::new();
    let mut add = |cause, what, other: Cow<'_, [u8]>| {
        if other != body {
            others.push((cause, what, Cow::Owned(other.into_owned())));
        }
    };
    let end = body.trim_ascii_end();
    add(CHANGED, "without the line end at the end of the body", end.into());
    add(CHANGED, "with a line end after the body", [end, b"\n"].concat().into());
    add(CHANGED, "with a line end (CR LF) after the body", [end, b"\r\n"].concat().into());
    add(CHANGED, "without blanks around the body", body.trim_ascii().into());
    let lf = replaced(body, b"\r\n", b"\n");
    add(CHANGED, "with LF for the line ends of the body", lf.as_slice().into());
    add(CHANGED, "with CR LF for the line ends of the body", replaced(&lf, b"\n", b"\r\n").into());
    let mark = &b"\xef\xbb\xbf"[..];
    match body.strip_prefix(mark) {
        Some(rest) => add(CHANGED, "without the byte order mark before the body", rest.into()),
        None => {
            add(CHANGED, "with a byte order mark before the body", [mark, body].concat().into());
        }
    }
    if let Ok(decoded) = STANDARD.decode(body.trim_ascii()) {
        add(
            CHANGED,
            "once the body is decoded from Base64: a gateway has encoded it",
            decoded.into(),
        );
    }
    if let Ok(text) = str::from_utf8(body) {
        add(CHANGED, "with the body in UTF-8: it was encoded twice", once(text).into());
        if let Some(form) = text.strip_prefix("payload=") {
            let decoded = unescaped(form.split('&').next().unwrap_or_default());
            add("body-form", "the JSON in the form field `payload` alone", decoded.into());
        }
        if text.contains('+') || text.contains("%20") {
            add(
                "body-form",
                "with blanks of the form written as %20",
                text.replace('+', "%20").into_bytes().into(),
            );
            add(
                "body-form",
                "with blanks of the form written as +",
                text.replace("%20", "+").into_bytes().into(),
            );
        }
    }
    others
}

/// The way to write JSON in which the body fits.
fn written(trial: &mut Trial<'_>, body: &[u8]) -> Option<String> {
    let node = json::read(body)?;
    let layouts = [
        ("compact JSON", None, false),
        ("JSON with a blank after , and :", None, true),
        ("JSON indented by two", Some("  "), false),
        ("JSON indented by four", Some("    "), false),
        ("JSON indented by tabs", Some("\t"), false),
    ];
    for sorted in [false, true] {
        for (layout, indent, spaced) in layouts {
            for (ascii, slashes) in [(false, false), (true, false), (true, true), (false, true)] {
                if trial.is_exhausted() {
                    return None;
                }
                let text = node.write(Style { indent, spaced, sorted, ascii, slashes });
                for end in ["", "\n"] {
                    let text = format!("{text}{end}");
                    if trial.fits(Change { body: Some(text.as_bytes()), ..Change::default() }) {
                        let mut what = layout.to_owned();
                        what.push_str(if sorted { ", members sorted by name" } else { "" });
                        what.push_str(if ascii {
                            ", letters that are not ASCII as \\u"
                        } else {
                            ""
                        });
                        what.push_str(if slashes { ", / as \\/" } else { "" });
                        what.push_str(if end.is_empty() { "" } else { ", with a line end" });
                        return Some(what);
                    }
                }
            }
        }
    }
    None
}

fn replaced(body: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(from) {
            out.extend_from_slice(to);
            rest = after;
        } else {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    out
}

/// A text whose bytes were taken for letters of Latin-1 and encoded once more.
fn once(text: &str) -> Vec<u8> {
    let bytes: Option<Vec<u8>> =
        text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
    bytes.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// A value of a form, decoded.
fn unescaped(value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let pair = after.first_chunk::<2>().filter(|_| *first == b'%');
        match pair.and_then(|pair| hex::decode(pair).ok()) {
            Some(byte) => {
                out.extend(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => out.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    out
}
