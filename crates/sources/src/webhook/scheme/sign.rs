//! Makes a request genuine, for a source that is tried out before its provider sends anything.

use base64::Engine;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use omni_crypto::{Secret, hmac, sha256};

use super::{
    key::BASE64,
    list::List,
    message::{self, Material, Part},
    place::Place,
    signed::{How, Signed, StampPlace},
    stamp,
};
use crate::{definition::Encoding, webhook::request::RequestView};

/// A header of a made id holds this many bytes of a hash, in hexadecimal digits.
const ID_BYTES: usize = 16;

impl Signed {
    /// The headers that make this request genuine, if one secret can do that and nothing of it must stand elsewhere.
    ///
    /// Headers that are signed and are not there, such as an id, are made.
    pub(super) fn sign(
        &self,
        request: RequestView<'_>,
        secret: &Secret,
        second: Option<&Secret>,
        now: DateTime<Utc>,
    ) -> Option<Vec<(HeaderName, HeaderValue)>> {
        let (How::Hmac(hash, form), Place::Header(header)) = (&self.how, &self.place) else {
            return None;
        };
        let mut made = Made { headers: request.headers.clone(), list: Vec::new() };
        let timestamp = self.stamp(request, now, &mut made)?;
        for part in &self.parts {
            if let Part::Value(Place::Header(name)) = part
                && !made.headers.contains_key(name)
            {
                made.set(name, &id(request.body, now))?;
            }
        }
        let Made { headers, list: mut made } = made;
        let request = RequestView { headers: &headers, ..request };
        let material = Material { request, timestamp: timestamp.as_bytes(), second };
        let parts = message::parts(&self.parts, material).ok()?;
        let parts: Vec<&[u8]> = parts.iter().map(|part| &**part).collect();
        let tag = hmac(*hash, form.key(secret).ok()?.bytes(), &parts);
        let tag = match self.encoding {
            Encoding::Hex => hex::encode(tag.as_bytes()),
            Encoding::Base64 => BASE64.encode(tag.as_bytes()),
        };
        let value = self.value(&tag, &timestamp);
        made.push((header.clone(), HeaderValue::from_str(&value).ok()?));
        Some(made)
    }

    /// The time to sign: written into its header, or read where it must stand already.
    fn stamp(
        &self,
        request: RequestView<'_>,
        now: DateTime<Utc>,
        made: &mut Made,
    ) -> Option<String> {
        let Some(wanted) = &self.timestamp else { return Some(String::new()) };
        let text = stamp::write(now, wanted.unit);
        match &wanted.from {
            StampPlace::At(Place::Header(name)) => made.set(name, &text)?,
            StampPlace::Pair(_) => {}
            StampPlace::At(place) => {
                let there = place.read(request).ok()?;
                let spot = || place.spot();
                stamp::check(&there, wanted.unit, wanted.tolerance_seconds, now, &spot).ok()?;
                return String::from_utf8(there.into_owned()).ok();
            }
        }
        Some(text)
    }

    fn value(&self, tag: &str, timestamp: &str) -> String {
        match &self.list {
            List::One { prefix } | List::Several { prefix, .. } => format!("{prefix}{tag}"),
            List::Pairs { name, separator } => {
                match self.timestamp.as_ref().map(|stamp| &stamp.from) {
                    Some(StampPlace::Pair(time)) => {
                        format!("{time}={timestamp}{separator}{name}={tag}")
                    }
                    _ => format!("{name}={tag}"),
                }
            }
        }
    }
}

/// The headers of a request, and those of them that were made.
struct Made {
    headers: HeaderMap,
    list: Vec<(HeaderName, HeaderValue)>,
}

impl Made {
    fn set(&mut self, name: &HeaderName, value: &str) -> Option<()> {
        let value = HeaderValue::from_str(value).ok()?;
        self.headers.insert(name, value.clone());
        self.list.push((name.clone(), value));
        Some(())
    }
}

fn id(body: &[u8], now: DateTime<Utc>) -> String {
    let hash = sha256(&[body, now.to_rfc3339().as_bytes()]);
    hex::encode(hash.get(..ID_BYTES).unwrap_or(&hash))
}
